"""One owner: its parts, their threads, and how they start and stop."""

from __future__ import annotations

import logging
import os
import secrets
import socket
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future

from perf import ownerfile
from perf.alerts.defaults import in_force
from perf.alerts.evaluator import Evaluator
from perf.alerts.heartbeat import Heartbeat
from perf.alerts.outbox import INTERVAL, Sender, opened
from perf.alerts.own import AlertSource
from perf.alertsettings import AlertSettings
from perf.clock import SystemClock
from perf.errors import StoreBusy, StoreClosed, StoreError
from perf.health import HealthChecker
from perf.health.probes.loops import dead
from perf.loops import Loop
from perf.model import Beat, Measurement, Step, Threshold
from perf.ownerfile import Owner
from perf.ports import Clock, Distant, IncidentDesk
from perf.profile import Profiler
from perf.record import Recorder, current
from perf.record.drainer import Drain, Drainer
from perf.runtime.health import TURN_SECONDS, watch
from perf.runtime.instance import labelled, named
from perf.runtime.limits import LIMIT_SECONDS, OwnLimits
from perf.runtime.opening import open_store, scheduled_sources
from perf.runtime.relief import relieve
from perf.runtime.streams import Streams
from perf.settings import ProductionSettings, Settings
from perf.sources.own import OwnSource
from perf.sources.sampler import Sampler, Scheduled
from perf.store.writer import Writer
from perf.views import thresholds
from perf.views.access import Access
from perf.views.alerts import Alerts
from perf.views.annotations import Releases
from perf.views.transitions import Transitions
from perf.views.writes import written

HOUSEKEEPING_SECONDS = 10.0
HEALTH_SECONDS = 10.0
ALERT_SECONDS = 0.5
OWN_SECONDS = 10.0
PRODUCER_SECONDS = 2.0
"""How long the end waits for what produces samples."""

_log = logging.getLogger(__name__)


class Runtime:
    """One owner: a store with its writer, the sampler, health checks and housekeeping."""

    def __init__(self, settings: Settings, clock: Clock | None = None, *, recorder: Recorder | None = None) -> None:
        """Opens the store, starts nothing; *recorder* is the process's own by default.

        Raises: StoreLocked, StoreError, PluginError.
        """
        self.settings = settings
        self.clock: Clock = clock or SystemClock()
        self.token = settings.store.token or secrets.token_urlsafe(24)
        self.store = open_store(settings.store, self.clock)
        self.distant = self.store if isinstance(self.store, Distant) else None
        self.instance = settings.store.remote.instance or socket.gethostname()
        self.writer = Writer(self.store, self.clock, capacity=settings.store.queue_samples)
        self.releases, self.access = (
            Releases(self.store, self.writer, resume=self.distant is None),
            Access(settings, self.store, self.writer, self.clock, self.token),
        )
        self.channels, self.transitions = opened(settings.alerts, self.clock), Transitions()
        self.evaluator = self._evaluator() if self.distant is None else None
        self.sender = Sender(self.store.alerts, self.writer, self.channels, self.clock, settings.alerts)
        self._dead_man = Heartbeat(settings.alerts, self.clock)
        self._evaluation = Loop("alerts", ALERT_SECONDS, self._evaluate, self.clock)
        self._delivery = Loop("delivery", INTERVAL, self.sender.turn, self.clock)
        self.alerts = Alerts(self.store, self.writer, self.clock, self.desk(), self._reachable, self.sender.stats)
        self._serve(settings.production)
        self.sampler = self._sampler()
        self._watch = watch(self, dead=self._dead, unready=self._unready)
        self.recorder = recorder or current()
        drainer = Drainer(Drain(self.recorder, settings.record, self.clock), self._submit, self.clock)
        self._drain = Loop("drain", settings.record.interval, drainer.turn, self.clock)
        self._last_drain = drainer.finish
        self._housekeeper = Loop("housekeeper", HOUSEKEEPING_SECONDS, self._maintain, self.clock)
        look = self._watch.turn if self.distant is None else self._watch.look
        self._checks = Loop("health", TURN_SECONDS, look, self.clock)
        self._maintenance: Future[None] | None = None
        self._note: Owner | None = None
        self._threads: list[threading.Thread] = []
        self.started: float | None = None

    @property
    def health(self) -> HealthChecker:
        """What is checked, and what it said."""
        return self._watch.checker

    def start(self, url: str = "") -> None:
        """Start the threads, and tell other processes that this one owns the store and answers at *url*."""
        self.started = self.clock.now()
        self.instance = named(self.settings.store.remote.instance, url)
        self._thread("writer", self.writer.run, self._stop_writer)
        self._thread("sampler", self.sampler.run, self._stop)
        if self.settings.record.enabled:
            self._thread("drain", self._drain.run, self._stop)
        self._thread("health", self._checks.run, self._stop)
        if self.limits.set:
            self._thread("limits", self._limiter.run, self._stop)
        if self.distant is None:
            self._start_owning(self.started)
        if url and self.settings.store.backend == "duckdb":
            self._note = Owner(pid=os.getpid(), url=url, token=self.token, started=self.started)
            self._leave_note()

    def _start_owning(self, now: float) -> None:
        """Start what only the owner of the data does."""
        # The commit that perf itself runs from is nobody's deploy; a name that somebody gave is.
        self.releases.seen("", self.settings.record.release, now)
        self._thread("housekeeper", self._housekeeper.run, self._stop)
        if self.settings.alerts.enabled:
            self._thread("alerts", self._evaluation.run, self._stop)
            self._thread("delivery", self._delivery.run, self._stop)

    def leave(self) -> None:
        """Not ready from now on, while everything goes on: the end is near, and load balancers must see it first."""
        self._leaving.set()

    def stop(self, grace: float = 10.0) -> None:
        """Stop sampling, write what is queued, checkpoint and close; at most about *grace* seconds.

        A source that hangs is not waited for long: the time is the writer's. A writer that isn't done by then keeps the
        store, which must not be closed under it; what is committed is safe in the log.
        """
        self._stop.set()
        self.profiler.stop()
        self._join(self._threads[1:], min(grace, PRODUCER_SECONDS))
        if self.started is not None and self.settings.record.enabled:
            self._last_drain()
        self._stop_writer.set()
        self.writer.wake()
        busy = self._join(self._threads[:1], grace)
        ownerfile.remove(self.settings.store.path, os.getpid())
        if busy:
            _log.error("the writer did not finish within %g s; the store is left open", grace)
            return
        self.store.close()

    def reach(self, settings: AlertSettings) -> None:
        """Send notifications by *settings* from now on: a program named the addresses of its channels."""
        self.channels.update(opened(settings, self.clock))
        self.sender.use(settings)

    def away(self) -> str:
        """Why the owner of the data can't be asked at present; empty when it can, and always in the owner itself."""
        return "" if self.distant is None else self.distant.away()

    def desk(self) -> IncidentDesk:
        """Where open incidents are looked after: here, or by the owner of the data."""
        if self.evaluator is not None:
            return self.evaluator
        assert self.distant is not None  # noqa: S101 - who owns the data evaluates
        return self.distant.desk

    def thresholds(self) -> dict[str, Threshold]:
        """Metric -> threshold in force; the owner's, also elsewhere."""
        if self.distant is not None:
            return self.distant.thresholds()
        return thresholds.in_force(self.settings, self.store)

    def missed_beats(self) -> int:
        """How often in a row the dead-man's switch was not taken."""
        return self._dead_man.failures

    def beats(self) -> Sequence[Beat]:
        """The newest sign of life of every loop."""
        parts: list[Callable[[], Beat]] = [self.writer.beat, self.sampler.beat, self._checks.beat]
        if self.distant is None:
            parts.insert(2, self._housekeeper.beat)
            parts += [self._evaluation.beat, self._delivery.beat] if self.settings.alerts.enabled else []
        if self.settings.record.enabled:
            parts.append(self._drain.beat)
        if self.limits.set:
            parts.append(self._limiter.beat)
        return [beat() for beat in parts]

    def _serve(self, settings: ProductionSettings) -> None:
        """The parts that matter to a server of this runtime, and what ends it."""
        self._leaving, self._stop, self._stop_writer = threading.Event(), threading.Event(), threading.Event()
        self.streams = Streams()
        self.profiler = Profiler(self.clock, longest=settings.profile_for)
        self.limits = OwnLimits(settings, self.clock, relieve=relieve)
        self._limiter = Loop("limits", LIMIT_SECONDS, self._limit, self.clock)

    def _thread(self, name: str, run: Callable[[threading.Event], None], stop: threading.Event) -> None:
        thread = threading.Thread(target=run, args=(stop,), name=f"perf-{name}", daemon=True)
        self._threads.append(thread)
        thread.start()

    def _join(self, threads: Sequence[threading.Thread], seconds: float) -> bool:
        """Wait for *threads*, *seconds* in all; whether any still runs."""
        deadline = self.clock.monotonic() + seconds
        for thread in threads:
            thread.join(max(0.0, deadline - self.clock.monotonic()))
        return any(thread.is_alive() for thread in threads)

    def _leave_note(self) -> None:
        """Tell other processes who owns the store; on a full disk recording goes on without, and it is tried again."""
        if self._note is None:
            return
        try:
            ownerfile.write(self.settings.store.path, self._note)
        except OSError as error:
            _log.warning("other processes are not told who owns %s: %s", self.settings.store.path, error)
        else:
            self._note = None

    def _dead(self) -> list[str]:
        """Loops whose thread has ended while it should run, or that have been silent for long."""
        if self._stop.is_set():
            return []
        ended = [f"the thread {thread.name} has ended" for thread in self._threads if not thread.is_alive()]
        return [*ended, *dead(self.beats(), self.clock.monotonic())]

    def _unready(self) -> list[str]:
        if self._leaving.is_set() or self._stop.is_set():
            return ["shutting down"]
        if self.distant is not None:
            return []  # While its owner is away a dashboard is what says so.
        stats = self.writer.stats()
        reasons = [] if stats.commits else ["nothing has been stored yet"]
        return [*reasons, f"the store does not take samples: {stats.stuck}"] if stats.stuck else reasons

    def _submit(self, samples: Sequence[Measurement]) -> None:
        """Hand samples to the writer; what it can't take is counted there."""
        try:
            self.writer.submit(samples if self.distant is None else labelled(samples, self.instance))
        except (StoreBusy, StoreClosed) as error:
            _log.debug("dropped %d samples: %s", len(samples), error)

    def _maintain(self) -> None:
        """Ask the writing thread for upkeep, unless it is still busy with the last; its failure is this turn's."""
        self._leave_note()
        if self._maintenance is not None:
            if not self._maintenance.done():
                return
            error = self._maintenance.exception()
            if error is not None:
                self._maintenance = None
                raise StoreError(f"upkeep failed: {error}") from error
        self._maintenance = self.writer.call(lambda: self.store.maintain(self.clock.now()))

    def _evaluate(self) -> None:
        """One turn of the rules; the heartbeat tells that it went well, that what it queued is being sent, and samples stored."""
        if self.evaluator is not None and self.evaluator.turn():
            self.sender.turn()
        delivers = self.clock.monotonic() - self._delivery.beat().last < HEALTH_SECONDS
        if delivers and not self.writer.stats().stuck:
            self._dead_man.beat()

    def _sampler(self) -> Sampler:
        usage = self.store.usage if self.distant is None else None
        own = [Scheduled("own", OwnSource(self.clock, usage, self.writer.stats, self.beats), OWN_SECONDS)]
        if self.evaluator is not None:
            alerting = AlertSource(self.evaluator, self.sender, self.store.alerts)
            own.append(Scheduled("alerts", alerting, OWN_SECONDS))
        sources = scheduled_sources(self.settings, self.clock, distant=self.distant is not None)
        return Sampler([*sources, *own], self._submit, self.clock)

    def _evaluator(self) -> Evaluator:
        return Evaluator(
            self.store,
            self._keep,
            self.settings.alerts,
            self.clock,
            rules=lambda: in_force(self.store.alerts.rules()),
        )

    def _reachable(self) -> dict[str, str]:
        """Name of every channel -> why it can't be used, by whoever sends."""
        if self.distant is not None:
            return self.distant.channels()
        return {name: found if isinstance(found, str) else "" for name, found in self.channels.items()}

    def _keep(self, step: Step) -> None:
        """Store what alerting decided; durable when it returns."""
        written(self.writer, lambda: self.store.alerts.commit(step), "alerts")
        self.transitions.add(step.transitions)

    def _limit(self) -> None:
        """Judge what this process takes, and store it."""
        self.limits.turn()
        now = self.clock.now()
        self._submit(list(self.limits.samples(now - now % LIMIT_SECONDS)))
