"""Has the machine CPU, memory and swap left? Judged on the mean of the last minute: one spike isn't an outage."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from perf.errors import StoreError
from perf.model import Aggregate, ProbeResult, RangeQuery, Selector, Series, Status, Threshold, Window
from perf.ports import Clock

REQUIRED = ("cpu_usage_percent", "memory_usage_percent")
OPTIONAL = ("swap_usage_percent",)
"""A machine may have none of it, which is no lack of knowledge."""


class ResourcesProbe:
    """The means of the last *window* seconds stay below their thresholds; *read* is the store's."""

    def __init__(
        self,
        read: Callable[[RangeQuery], Sequence[Series]],
        thresholds: Callable[[], Mapping[str, Threshold]],
        clock: Clock,
        *,
        window: float = 60.0,
    ) -> None:
        self._read, self._thresholds, self._clock, self._window = read, thresholds, clock, window

    def check(self) -> ProbeResult:
        """Worst of the metrics; unknown when one that every machine has wasn't measured."""
        now = self._clock.now()
        thresholds = self._thresholds()
        try:
            means = {name: self._mean(name, now) for name in (*REQUIRED, *OPTIONAL) if name in thresholds}
        except StoreError as error:
            return ProbeResult(name="resources", status=Status.UNKNOWN, message=f"could not read: {error}", ts=now)
        means = {name: mean for name, mean in means.items() if mean is not None or name not in OPTIONAL}
        states = {name: thresholds[name].status(mean) for name, mean in means.items()}
        reasons = [
            self._reason(name, means[name], thresholds[name])
            for name, state in states.items()
            if state is not Status.HEALTHY
        ]
        measured = {name: mean for name, mean in means.items() if mean is not None}
        calm = ", ".join(f"{_words(name)} {mean:.1f} %" for name, mean in measured.items())
        return ProbeResult(
            name="resources",
            status=Status.worst(list(states.values())),
            message="; ".join(reasons) or calm or "no thresholds to judge by",
            ts=now,
            evidence=measured,
        )

    def _mean(self, name: str, now: float) -> float | None:
        """The highest mean among the series of *name*; None when none had a sample."""
        window = Window(now - self._window, now)
        query = RangeQuery(selector=Selector(name), window=window, step=5.0, aggregate=Aggregate.AVG)
        means = [float(series.values.mean()) for series in self._read(query) if series.values.size]
        return max(means, default=None)

    def _reason(self, name: str, mean: float | None, limit: Threshold) -> str:
        if mean is None:
            return f"no value of {_words(name)} in the last {self._window:g} s"
        status = limit.status(mean)
        crossed = limit.critical if status is Status.UNHEALTHY else limit.warning
        return f"{_words(name)} was {mean:.1f} % on average over the last {self._window:g} s (limit {crossed:g} %)"


def _words(metric: str) -> str:
    """``cpu_usage_percent`` as people say it."""
    return {"cpu_usage_percent": "CPU"}.get(metric, metric.removesuffix("_usage_percent"))
