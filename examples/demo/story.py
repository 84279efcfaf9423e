"""What happened to the shop: one timeline that every invented series follows, and the numbers of its events."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from perf.model import Annotation, Array
from perf.model.annotation import DEPLOY, NOTE

DAY, HOUR, MINUTE = 86_400.0, 3_600.0, 60.0
SEED = 8503
SHOP, BACK_OFFICE, JOBS = "shop", "back-office", "jobs"
RELEASES = ("v1.6.2", "v1.7.0", "v1.8.0")
SLOWER = 1.7
"""What v1.8.0 multiplies the duration of a search with."""

Mask = npt.NDArray[np.bool_]
Grid = tuple[tuple[float, float], ...]
"""(age in seconds, step in seconds), the oldest first: from that age on one point a step."""


class Story:
    """Working days, a newsletter that is too much for the payment provider, a slow release, an hour without data."""

    def __init__(
        self, now: float, *, days: float = 14.0, offset: float = 0.0, ahead: float = 0.0, seed: int = SEED
    ) -> None:
        """Everything is placed relative to *now* in Unix seconds; *offset*: what people's clocks are ahead of UTC, *ahead*:
        seconds after *now* that are told, too.
        """
        self.offset = offset
        self.start, self.now, self.end = now - days * DAY, now, now + ahead
        self.newsletter = (now - 110 * MINUTE, now - 85 * MINUTE)
        self.refusals = (now - 105 * MINUTE, now - 88 * MINUTE)
        self.slow_store = (now - 155 * MINUTE, now - 152 * MINUTE)
        self.restart = (now - 47 * MINUTE, now - 45 * MINUTE)
        self.outage = (now - 50 * HOUR, now - 49 * HOUR)
        self.cached = now - 9.2 * DAY
        self.random = np.random.default_rng(seed)

    def times(self, grid: Grid) -> Array:
        """Times on *grid*, but none while nothing ran."""
        edges = [max(self.start, self.now - age) for age, _ in grid] + [self.end]
        parts = [
            np.arange(np.ceil(begin / step), np.ceil(end / step)) * step
            for (_, step), begin, end in zip(grid, edges[:-1], edges[1:], strict=True)
        ]
        ts = np.unique(np.concatenate(parts))
        return ts[~(within(ts, self.outage) | within(ts, self.restart))]

    def activity(self, ts: Array) -> Array:
        """0 at night to 1 early in a working day's afternoon."""
        local = ts + self.offset
        weekend = (local // DAY + 3.0) % 7.0 >= 5.0  # 1 January 1970 was a Thursday.
        weight: Array = 1.0 - 0.6 * weekend.astype(np.float64)
        return rhythm(local % DAY / HOUR) * weight

    def crowd(self, ts: Array) -> Array:
        """0, and 1 while the newsletter's readers are there, with soft ends."""
        begin, end = self.newsletter
        return np.clip(np.minimum(ts - begin, end - ts) / MINUTE, 0.0, 1.0)

    def growth(self, ts: Array) -> Array:
        """From 0 at the first to 1 now: what fills up, leaks or lacks an index follows it."""
        return np.clip((ts - self.start) / (self.now - self.start), 0.0, 1.0)

    def noise(self, ts: Array, width: int) -> Array:
        """Noise around 0 with deviation 1 whose neighbours within *width* points are alike."""
        white = self.random.standard_normal(len(ts) + width - 1)
        alike: Array = averaged(white, width) * np.sqrt(width)
        return alike

    def counter(self, ts: Array, rate: Array, *, whole: bool = True) -> Array:
        """What a counter of *rate* (n,) per second shows: it grows, and begins again after the restart."""
        total: Array = np.cumsum(rate * np.diff(ts, prepend=ts[0]))
        after = ts >= self.restart[1]
        if after.any() and not after.all():
            total[after] -= total[np.argmax(after) - 1]
        return np.round(total) if whole else total

    def release(self, ts: float) -> str:
        """What was deployed at *ts*."""
        return RELEASES[0] if ts < self.cached else RELEASES[1] if ts < self.restart[1] else RELEASES[2]

    def annotations(self) -> list[Annotation]:
        """Deploys, and what people noted, the oldest first."""
        found = (
            Annotation(
                ts=self.cached, kind=DEPLOY, title=RELEASES[1], service=SHOP, text="Products are cached for longer"
            ),
            Annotation(ts=self.outage[0], kind=NOTE, title="Maintenance", text="The host was down for an hour"),
            Annotation(
                ts=self.newsletter[0], kind=NOTE, title="Newsletter", service=SHOP, text="Sent to all customers"
            ),
            Annotation(
                ts=self.restart[1], kind=DEPLOY, title=RELEASES[2], service=SHOP, text="Search results are ranked"
            ),
        )
        return [one for one in found if one.ts >= self.start]


def rhythm(hour: float | Array) -> Array:
    """How busy a working day is at *hour* of the day, 0 to 24: nothing at night, 1 at 13:00."""
    shape: Array = np.exp(-(((np.asarray(hour, np.float64) - 13.0) / 4.5) ** 2))
    return shape


def within(ts: Array, span: tuple[float, float]) -> Mask:
    """Which of *ts* (n,) lie in the half-open *span*."""
    return (ts >= span[0]) & (ts < span[1])


def averaged(values: Array, width: int) -> Array:
    """The mean of every *width* neighbours of *values* (n,) -> (n - width + 1,)."""
    return np.convolve(values, np.full(width, 1.0 / width), mode="valid").astype(np.float64)
