"""Turns the health checks over, and stores what they say: as metrics, as history, and as a score."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import TYPE_CHECKING

from perf.errors import StoreBusy, StoreClosed
from perf.health import HealthChecker
from perf.health.history import Keeping
from perf.model import ProbeResult, Sample
from perf.ports import Clock, MetricStore
from perf.runtime.probes import planned
from perf.settings import HealthSettings
from perf.store.writer import Writer
from perf.views import health

if TYPE_CHECKING:
    from perf.runtime.owner import Runtime

TURN_SECONDS = 1.0
SAMPLE_SECONDS = 10.0
SCORE_SECONDS = 60.0

_log = logging.getLogger(__name__)


class HealthWatch:
    """One turn a second: begins what is due and hands on what is new. Waits neither for a probe nor for the store."""

    def __init__(
        self, checker: HealthChecker, store: MetricStore, writer: Writer, clock: Clock, settings: HealthSettings
    ) -> None:
        self.checker = checker
        self._store, self._writer, self._clock, self._settings = store, writer, clock, settings
        self._keeping = Keeping()
        self._being_kept: tuple[Future[None], list[ProbeResult]] | None = None
        self._sampled = float("-inf")
        # The first score waits for the next minute: reading a store for the first time takes a while, and so does a start.
        self._scored = clock.now() // SCORE_SECONDS * SCORE_SECONDS
        self._began = False

    def look(self) -> None:
        """Once a second where the data are somebody else's: what the checks say is not stored."""
        self.checker.turn()

    def turn(self) -> None:
        """Once a second. Raises: StoreError when the score can't be read, or what was handed on could not be stored."""
        if not self._began:
            self._began = True
            self.checker.resume(health.resumed(self._store, self.checker.plans, self._clock.now()))
        self.checker.turn()
        now = self._clock.now()
        tick = now - now % SAMPLE_SECONDS
        if tick != self._sampled:
            self._sampled = tick
            self._submit(self.checker.samples(tick))
        minute = now // SCORE_SECONDS * SCORE_SECONDS
        if minute != self._scored:
            self._scored = minute
            self._submit(health.samples(health.score(self._store, self._settings, now), minute))
        self._keep()

    def _keep(self) -> None:
        """Hand on what is new to the writer; what it could not store is handed on again at the next turn."""
        if self._being_kept is not None:
            done, results = self._being_kept
            if not done.done():
                return
            self._being_kept = None
            error = done.exception()
            if error is not None:
                raise error
            self._keeping.kept(results)
        due = self._keeping.due(self.checker.newest().results, self._clock.now())
        if due:
            self._being_kept = self._writer.call(lambda: self._store.probes.keep(due)), due

    def _submit(self, samples: list[Sample]) -> None:
        try:
            self._writer.submit(samples)
        except (StoreBusy, StoreClosed) as error:
            _log.debug("dropped %d samples: %s", len(samples), error)


def watch(runtime: Runtime, *, dead: Callable[[], Sequence[str]], unready: Callable[[], Sequence[str]]) -> HealthWatch:
    """The watch over what *runtime* consists of, and over what its settings name. Raises: SettingsError, PluginError."""
    probes, plans = planned(runtime)
    checker = HealthChecker(probes, runtime.clock, plans=plans, dead=dead, unready=unready)
    return HealthWatch(checker, runtime.store, runtime.writer, runtime.clock, runtime.settings.health)
