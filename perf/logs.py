"""Log set-up: one line an event for people, or one JSON object a line. Called by entry points, never at import."""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from operator import attrgetter

import msgspec

from perf import requestid
from perf.errors import SettingsError
from perf.settings import LogSettings, Settings, User, describe, health

LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
OURS = ("perf", "dashboard")
"""The loggers that are set up here."""
_TEXT = "%(asctime)s %(levelname)-7s %(name)s: %(message)s%(request)s"


class JsonFormatter(logging.Formatter):
    """One JSON object a record: ts (Unix seconds), level, logger, message, request_id, error."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as one line."""
        entry = {
            "ts": round(record.created, 3),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if request := getattr(record, "request_id", ""):
            entry["request_id"] = request
        error = self.formatException(record.exc_info) if record.exc_info else record.exc_text
        if error:
            entry["error"] = error
        return msgspec.json.encode(entry).decode()


class RequestFilter(logging.Filter):
    """Puts the id of the request, in whose context it is called, into every record."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Drops nothing."""
        found = requestid.current.get()
        vars(record).update(request_id=found, request=f" [{found}]" if found else "")
        return True


class LevelChange:
    """The level of our loggers at run time: one that is set holds for a time, then the one before comes back."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._before: int | None = None
        self._back: threading.Timer | None = None

    @property
    def level(self) -> str:
        """The level in force."""
        return logging.getLevelName(logging.getLogger(OURS[0]).getEffectiveLevel())

    @property
    def changed(self) -> bool:
        """Whether it is another than the settings'."""
        return self._before is not None

    def set(self, level: str, seconds: float) -> None:
        """Log at *level* for *seconds*, then as before. Raises: SettingsError for an unknown level."""
        number = numbered(level)
        with self._lock:
            if self._before is None:
                self._before = logging.getLogger(OURS[0]).level
            timer = threading.Timer(seconds, lambda: self._over(timer))
            self._restart(timer)
            _apply(number)

    def reset(self) -> None:
        """Log as the settings say."""
        with self._lock:
            self._end()

    def _over(self, timer: threading.Timer) -> None:
        """The time of *timer* has come; nothing happens when the level was changed again meanwhile."""
        with self._lock:
            if self._back is timer:
                self._end()

    def _end(self) -> None:
        if self._before is not None:
            _apply(self._before)
            self._before = None
        self._restart(None)

    def _restart(self, timer: threading.Timer | None) -> None:
        if self._back is not None:
            self._back.cancel()
        self._back = timer
        if timer is not None:
            timer.name, timer.daemon = "perf-log-level", True
            timer.start()


def numbered(level: str) -> int:
    """The number of *level*. Raises: SettingsError."""
    if level.upper() not in LEVELS:
        raise SettingsError(f"logs.level: {level!r}; known: {', '.join(LEVELS)}")
    return logging.getLevelNamesMapping()[level.upper()]


def _apply(level: int) -> None:
    for name in OURS:
        logging.getLogger(name).setLevel(level)


def secrets(settings: Settings) -> list[str]:
    """Every value in *settings* that no log may hold."""
    found = (attrgetter(described.key)(settings) for described in describe() if described.secret)
    listed = [text for value in found for text in _texts(value) if text]
    return listed + [text for text in health.secrets(settings.health) if text]


def _texts(value: object) -> list[str]:
    """*value*, a secret or several, as texts; of people who sign in the hash, for their names are none."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, Mapping):
        return [user.hash for user in value.values() if isinstance(user, User)]
    return list(value) if isinstance(value, tuple) else []


def configure(settings: LogSettings, redacting: logging.Filter) -> None:
    """Send the loggers of perf and dashboard to stderr as *settings* say, through *redacting*; other loggers are left alone.

    Raises: SettingsError for a level that logging doesn't know.
    """
    level = numbered(settings.level)
    handler = logging.StreamHandler()
    handler.addFilter(redacting)
    handler.addFilter(RequestFilter())
    handler.setFormatter(JsonFormatter() if settings.format == "json" else logging.Formatter(_TEXT))
    for name in OURS:
        logger = logging.getLogger(name)
        logger.handlers[:] = [handler]
        logger.propagate = False
    _apply(level)
