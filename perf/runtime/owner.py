"""One owner: its parts, their threads, and how they start and stop."""

from __future__ import annotations

import logging
import os
import secrets
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
from perf.ports import Clock
from perf.record import Recorder, current
from perf.record.drainer import Drain, Drainer
from perf.runtime.opening import open_store, scheduled_sources
from perf.runtime.probes import probes
from perf.settings import Settings
from perf.sources.own import OwnSource
from perf.sources.sampler import Sampler, Scheduled
from perf.store.writer import Writer
from perf.views import thresholds
from perf.views.alerts import Alerts
from perf.views.annotations import Releases
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
        self.token = secrets.token_urlsafe(24)
        self.store = open_store(settings.store, self.clock)
        self.writer = Writer(self.store, self.clock, capacity=settings.store.queue_samples)
        self.releases = Releases(self.store, self.writer)
        self.channels = opened(settings.alerts, self.clock)
        self.evaluator = Evaluator(
            self.store,
            self._keep,
            settings.alerts,
            self.clock,
            rules=lambda: in_force(self.store.alerts.rules()),
        )
        self.sender = Sender(self.store.alerts, self.writer, self.channels, self.clock, settings.alerts)
        self._dead_man = Heartbeat(settings.alerts, self.clock)
        self._evaluation = Loop("alerts", ALERT_SECONDS, self._evaluate, self.clock)
        self._delivery = Loop("delivery", INTERVAL, self.sender.turn, self.clock)
        self.alerts = Alerts(self.store, self.writer, self.clock, self.evaluator, self.channels, self.sender.stats)
        own = [
            Scheduled("own", OwnSource(self.clock, self.store.usage, self.writer.stats, self.beats), OWN_SECONDS),
            Scheduled("alerts", AlertSource(self.evaluator, self.sender, self.store.alerts), OWN_SECONDS),
        ]
        self.sampler = Sampler([*scheduled_sources(settings, self.clock), *own], self._submit, self.clock)
        self.health = HealthChecker(probes(self), self.clock, dead=self._dead, unready=self._unready)
        self.recorder = recorder or current()
        drain = Drain(self.recorder, settings.record, self.clock)
        drainer = Drainer(drain, self._submit, self.clock)
        self._drain = Loop("drain", settings.record.interval, drainer.turn, self.clock)
        self._last_drain = drainer.finish
        self._housekeeper = Loop("housekeeper", HOUSEKEEPING_SECONDS, self._maintain, self.clock)
        self._checks = Loop("health", HEALTH_SECONDS, self._check, self.clock)
        self._maintenance: Future[None] | None = None
        self._note: Owner | None = None
        self._stop = threading.Event()
        self._stop_writer = threading.Event()
        self._threads: list[threading.Thread] = []
        self.started: float | None = None

    def start(self, url: str = "") -> None:
        """Start the threads, and tell other processes that this one owns the store and answers at *url*."""
        self.started = self.clock.now()
        self._thread("writer", self.writer.run, self._stop_writer)
        # The commit that perf itself runs from is nobody's deploy; a name that somebody gave is.
        self.releases.seen("", self.settings.record.release, self.started)
        self._thread("sampler", self.sampler.run, self._stop)
        if self.settings.record.enabled:
            self._thread("drain", self._drain.run, self._stop)
        self._thread("housekeeper", self._housekeeper.run, self._stop)
        self._thread("health", self._checks.run, self._stop)
        if self.settings.alerts.enabled:
            self._thread("alerts", self._evaluation.run, self._stop)
            self._thread("delivery", self._delivery.run, self._stop)
        if url and self.settings.store.backend == "duckdb":
            self._note = Owner(pid=os.getpid(), url=url, token=self.token, started=self.started)
            self._leave_note()

    def stop(self, grace: float = 10.0) -> None:
        """Stop sampling, write what is queued, checkpoint and close; at most about *grace* seconds.

        A source that hangs is not waited for long: the time is the writer's. A writer that isn't done by then keeps the
        store, which must not be closed under it; what is committed is safe in the log.
        """
        self._stop.set()
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

    def thresholds(self) -> dict[str, Threshold]:
        """Metric -> threshold in force."""
        return thresholds.in_force(self.settings, self.store)

    def missed_beats(self) -> int:
        """How often in a row the dead-man's switch was not taken."""
        return self._dead_man.failures

    def beats(self) -> Sequence[Beat]:
        """The newest sign of life of every loop."""
        parts: list[Callable[[], Beat]] = [
            self.writer.beat,
            self.sampler.beat,
            self._housekeeper.beat,
            self._checks.beat,
        ]
        if self.settings.alerts.enabled:
            parts += [self._evaluation.beat, self._delivery.beat]
        if self.settings.record.enabled:
            parts.append(self._drain.beat)
        return [beat() for beat in parts]

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
        if self._stop.is_set():
            return ["shutting down"]
        stats = self.writer.stats()
        reasons = [] if stats.commits else ["nothing has been stored yet"]
        return [*reasons, f"the store does not take samples: {stats.stuck}"] if stats.stuck else reasons

    def _submit(self, samples: Sequence[Measurement]) -> None:
        """Hand samples to the writer; what it can't take is counted there."""
        try:
            self.writer.submit(samples)
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
        """One turn of the rules; that it went well, and that what it queued is being sent, is what the heartbeat tells."""
        if self.evaluator.turn():
            self.sender.turn()
        if self.clock.monotonic() - self._delivery.beat().last < HEALTH_SECONDS:
            self._dead_man.beat()

    def _keep(self, step: Step) -> None:
        """Store what alerting decided; durable when it returns."""
        written(self.writer, lambda: self.store.alerts.commit(step), "alerts")

    def _check(self) -> None:
        now = self.clock.now()
        self._submit(self.health.samples(now - now % HEALTH_SECONDS))
