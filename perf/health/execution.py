"""One execution of one probe on its own daemon thread: a hanging one costs a thread, but no exit and no sibling."""

from __future__ import annotations

import threading
from collections.abc import Callable
from time import perf_counter

import msgspec

from perf.model import ProbeResult, Status
from perf.ports import Clock, Probe


class Execution:
    """Runs *probe* at once; *done* gets this execution, its result, and what it raised, on the thread of the probe."""

    def __init__(
        self,
        name: str,
        probe: Probe,
        clock: Clock,
        timeout: float,
        done: Callable[[Execution, ProbeResult, Exception | None], None],
    ) -> None:
        self.name, self.timeout = name, timeout
        self.told = False
        """Whether its being late was told already."""
        self._probe, self._clock, self._done = probe, clock, done
        self._began = perf_counter()

    def start(self) -> None:
        """Begin; that there is no thread left is what is told then."""
        try:
            threading.Thread(target=self._execute, name=f"perf-probe-{self.name}", daemon=True).start()
        except RuntimeError as error:
            self._done(self, self._failed(error), error)

    @property
    def left(self) -> float:
        """Seconds until it is late; negative when it is."""
        return self._began + self.timeout - perf_counter()

    def late(self) -> ProbeResult:
        """What is said of it while it hangs."""
        return self._unhealthy(f"did not answer within {self.timeout:g} s")

    def _execute(self) -> None:
        failure: Exception | None = None
        try:
            result = self._probe.check()
        except Exception as error:  # noqa: BLE001  # A thread's loop: logged once and counted by the checker.
            failure, result = error, self._failed(error)
        self._done(self, msgspec.structs.replace(result, name=self.name, seconds=self._seconds()), failure)

    def _failed(self, error: Exception) -> ProbeResult:
        return self._unhealthy(f"the probe failed: {type(error).__name__}: {error}")

    def _unhealthy(self, message: str) -> ProbeResult:
        return ProbeResult(
            name=self.name, status=Status.UNHEALTHY, message=message, ts=self._clock.now(), seconds=self._seconds()
        )

    def _seconds(self) -> float:
        return perf_counter() - self._began
