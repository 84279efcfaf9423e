"""Does perf itself keep to the memory and CPU that settings allow it?"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from perf.model import ProbeResult, Status
from perf.ports import Clock


class LimitsProbe:
    """Degraded while a limit is exceeded: perf serves on, with less. *use* is resource -> (taken, limit)."""

    def __init__(
        self,
        over: Callable[[], Sequence[str]],
        use: Callable[[], Mapping[str, tuple[float, float]]],
        clock: Clock,
    ) -> None:
        self._over, self._use, self._clock = over, use, clock

    def check(self) -> ProbeResult:
        """What is exceeded, or how much of each limit is taken."""
        over, use = self._over(), self._use()
        calm = ", ".join(f"{name} {taken / limit:.0%} of its limit" for name, (taken, limit) in use.items())
        message = f"{'; '.join(over)}; expensive requests are refused" if over else calm or "not measured yet"
        return ProbeResult(
            name="limits",
            status=Status.DEGRADED if over else Status.HEALTHY if use else Status.UNKNOWN,
            message=message,
            ts=self._clock.now(),
            evidence={f"{name}_ratio": taken / limit for name, (taken, limit) in use.items()},
        )
