"""The public face of running unattended: one call sets up logging, signals, limits, the health port and the clean-up of sessions.

It delegates, and holds no logic of its own. perf's own servers do the same by themselves; this is for a program beside them.
"""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable
from types import FrameType
from typing import TYPE_CHECKING, Any

import msgspec

from perf import default, logs
from perf import settings as tree
from perf.alerts.redaction import RedactingFilter, Redactor
from perf.clock import SystemClock
from perf.errors import SettingsError
from perf.health.checker import HealthChecker
from perf.health.probes.limits import LimitsProbe
from perf.loops import Loop
from perf.record import ending
from perf.runtime.limits import LIMIT_SECONDS, OwnLimits
from perf.runtime.relief import relieve
from perf.settings import Environment, Settings

if TYPE_CHECKING:
    from perf.instrument.sessions import Watch

__all__ = ["ProductionConfig", "ProductionManager", "setup_production_environment"]


class ProductionConfig(msgspec.Struct, frozen=True, kw_only=True):
    """How a program runs unattended. *max_memory_mb* is in MiB, *max_cpu_percent* of one core; 0 means no limit."""

    environment: str = "production"
    debug_mode: bool = False
    log_level: str = "WARNING"
    session_cleanup_enabled: bool = True
    session_max_age_hours: float = 24
    max_memory_mb: float = 2048
    max_cpu_percent: float = 80

    @classmethod
    def from_settings(cls, settings: Settings) -> ProductionConfig:
        """What ``perf.toml`` and the environment say."""
        own = settings.production
        return cls(
            environment=settings.environment.value,
            debug_mode=own.debug,
            log_level="DEBUG" if own.debug else settings.logs.level,
            session_cleanup_enabled=own.session_cleanup,
            session_max_age_hours=own.session_max_age / 3600,
            max_memory_mb=own.max_memory / 2**20,
            max_cpu_percent=own.max_cpu_percent,
        )

    def applied(self, settings: Settings) -> Settings:
        """*settings* with what this says. Raises: SettingsError for what can't be."""
        if self.environment not in tuple(Environment):
            raise SettingsError(f"environment: {self.environment!r}; known: {', '.join(Environment)}")
        if self.session_max_age_hours <= 0:
            raise SettingsError(f"session_max_age_hours: above 0, not {self.session_max_age_hours:g}")
        if self.max_memory_mb < 0 or self.max_cpu_percent < 0:
            raise SettingsError("max_memory_mb and max_cpu_percent: 0 (no limit) or more")
        changed = msgspec.structs.replace
        own = changed(
            settings.production,
            debug=self.debug_mode,
            session_cleanup=self.session_cleanup_enabled,
            session_max_age=self.session_max_age_hours * 3600.0,
            max_memory=round(self.max_memory_mb * 2**20),
            max_cpu_percent=self.max_cpu_percent,
        )
        log = changed(settings.logs, level="DEBUG" if self.debug_mode else self.log_level)
        return changed(settings, environment=Environment(self.environment), production=own, logs=log)


class ProductionManager:
    """What `setup_production_environment` set up in this process."""

    def __init__(self, config: ProductionConfig | None = None) -> None:
        """*config* stands above the settings. Raises: SettingsError."""
        loaded = tree.load()
        self.config = config or ProductionConfig.from_settings(loaded)
        self.settings = self.config.applied(loaded)
        self._clock = SystemClock()
        self.limits = OwnLimits(self.settings.production, self._clock, relieve=relieve)
        self._checker = HealthChecker(
            {"limits": LimitsProbe(self.limits.over, self.limits.use, self._clock)} if self.limits.set else {},
            self._clock,
            timeout=self.settings.health.timeout,
            unready=lambda: ["shutting down"] if self._stop.is_set() else [],
        )
        self._stop = threading.Event()
        self._sessions: Watch | None = None
        self._handlers: dict[int, Any] = {}  # Any: whatever signal.signal takes
        self._closing: list[Callable[[], object]] = []

    @property
    def health(self) -> HealthChecker:
        """The health of this process: of its runtime when it owns a store, else of what is set up here."""
        runtime = default.running()
        return self._checker if runtime is None else runtime.health

    def start(self) -> None:
        """Set everything up; a second call changes nothing. Raises: SettingsError when the health port is taken."""
        if self._closing:
            return
        try:
            self._set_up()
        except BaseException:
            self._close()
            raise

    def _set_up(self) -> None:
        logs.configure(self.settings.logs, RedactingFilter(Redactor(logs.secrets(self.settings))))
        self._closing.append(self._stop.set)
        if self.limits.set and default.running() is None:
            loop = Loop("limits", LIMIT_SECONDS, self.limits.turn, self._clock)
            threading.Thread(target=loop.run, args=(self._stop,), name="perf-limits", daemon=True).start()
        self._open_health_port()
        self._watch_sessions()
        self._take_signals()

    def seen(self) -> None:
        """The Streamlit session whose script runs here is in use."""
        if self._sessions is not None:
            self._sessions.seen()

    def stop(self) -> None:
        """Take everything back, and hand over what was recorded."""
        self._close()
        ending.ending()
        if threading.current_thread() is threading.main_thread():
            for number, handler in self._handlers.items():
                signal.signal(number, handler)
        self._handlers.clear()

    def _close(self) -> None:
        for close in reversed(self._closing):
            close()
        self._closing.clear()

    def _open_health_port(self) -> None:
        port = self.settings.production.health_port
        if not port:
            return
        from perf.api.healthport import HealthPort, gates  # only who asks for the port pays for a server
        from perf.api.hosts import is_loopback, watched

        host, insecure = self.settings.server.host, self.settings.insecure
        # Nobody signs in here: who is elsewhere learns the state, as on perf's own ports, and why only where all may know.
        bare = not insecure and not is_loopback(host)
        hosts = watched(host, insecure=insecure, access=self.settings.access)
        opened = HealthPort(gates(lambda: self.health, bare=bare), host=host, port=port, hosts=hosts)
        self._closing.append(opened.stop)
        opened.start()

    def _watch_sessions(self) -> None:
        own = self.settings.production
        if not own.session_cleanup or "streamlit" not in sys.modules:
            return
        from perf.instrument import sessions  # Streamlit is there: the program is one of its

        self._sessions = watch = sessions.Watch(self._clock, own.session_max_age)
        loop = Loop("sessions", own.session_interval, watch.turn_elsewhere, self._clock)
        threading.Thread(target=loop.run, args=(self._stop,), name="perf-sessions", daemon=True).start()

    def _take_signals(self) -> None:
        """What is recorded is handed over before the program's own handlers, or the system's, do what they do."""
        if threading.current_thread() is not threading.main_thread():
            return
        for number in (signal.SIGTERM, signal.SIGINT):
            self._handlers[number] = signal.getsignal(number)
            signal.signal(number, self._signalled)

    def _signalled(self, number: int, frame: FrameType | None) -> None:
        handler = self._handlers.get(number)
        self.stop()
        if callable(handler):
            handler(number, frame)
        elif handler is not signal.SIG_IGN:
            signal.raise_signal(number)


_lock = threading.Lock()
_managers: list[ProductionManager] = []


def setup_production_environment(config: ProductionConfig | None = None) -> ProductionManager:
    """Set this process up as settings say, or *config*; the same manager for every call after the first.

    Raises: SettingsError.
    """
    with _lock:
        if not _managers:
            manager = ProductionManager(config)
            manager.start()
            _managers.append(manager)
        _managers[0].seen()
        return _managers[0]
