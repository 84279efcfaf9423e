"""What the reader chose, as a value: time range, comparison, live or paused, zone. All of it stands in the URL."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from perf.model import Window
from perf.timerange import step_for

RANGES = {
    "5m": 300.0,
    "15m": 900.0,
    "1h": 3_600.0,
    "3h": 10_800.0,
    "24h": 86_400.0,
    "7d": 604_800.0,
    "30d": 2_592_000.0,
}
CUSTOM = "custom"
COMPARE = {
    "none": "no comparison",
    "previous": "vs previous period",
    "yesterday": "vs yesterday",
    "week": "vs last week",
}
POINTS = 400


class State(msgspec.Struct, frozen=True, kw_only=True):
    """The view of one reader. *window* is set for an absolute range; otherwise the last *seconds* up to now are meant."""

    seconds: float
    window: Window | None
    compare: str
    live: bool
    refresh: float
    zone: str

    @property
    def step(self) -> float:
        """Seconds a point of a chart stands for."""
        return step_for(self.seconds, POINTS)

    @property
    def ticks(self) -> float:
        """Seconds between refreshes, no longer than a step; 0 when paused or when the range has ended."""
        return min(self.refresh, max(1.0, self.step)) if self.live and self.window is None else 0.0

    @property
    def shift(self) -> float | None:
        """How far back the comparison lies, in seconds; None without one."""
        shifts = {"previous": self.seconds, "yesterday": 86_400.0, "week": 604_800.0}
        return shifts.get(self.compare)

    @property
    def compare_label(self) -> str:
        """The comparison's name beside a line."""
        return {"previous": "previous period", "yesterday": "yesterday", "week": "last week"}.get(self.compare, "")

    def span(self, now: float) -> Window:
        """The window that is meant at *now*."""
        return self.window or Window(now - self.seconds, now)


def first_range(configured: str, age: float | None) -> str:
    """The range of a first visit: the configured one, or a shorter one that *age* seconds of data don't leave empty."""
    if age is None:
        return "5m"
    longest = RANGES.get(configured, RANGES["3h"])
    fitting = [name for name, seconds in RANGES.items() if seconds <= longest]
    return next((name for name in fitting if RANGES[name] >= age), fitting[-1])


def zone_named(name: str | None) -> str:
    """The IANA zone *name* if this machine knows it, else UTC."""
    try:
        return str(ZoneInfo(name or "UTC"))
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return "UTC"


def clock_time(ts: float, zone: str, now: float, *, seconds: bool = False) -> str:
    """Unix seconds as a time of day in *zone*, with the date unless it is that of *now* (Unix seconds)."""
    place = ZoneInfo(zone)
    moment = datetime.fromtimestamp(ts, place)
    form = "%H:%M:%S" if seconds else "%H:%M"
    today = datetime.fromtimestamp(now, place).date()
    return moment.strftime(form if moment.date() == today else f"%Y-%m-%d {form}")


def from_local(moment: datetime, zone: str) -> float:
    """Unix seconds of a wall-clock time without zone, as read in *zone*."""
    return moment.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC).timestamp()


def to_local(ts: float, zone: str) -> datetime:
    """The wall-clock time in *zone*, without zone, as date inputs want it."""
    return datetime.fromtimestamp(ts, ZoneInfo(zone)).replace(tzinfo=None, microsecond=0)


def lasted(seconds: float) -> str:
    """A span of time for people: ``45 s``, ``12 min``, ``2 h 15 min``, ``3 d 4 h``."""
    whole = int(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, hours, days = whole // 60, whole // 3600, whole // 86_400
    if hours == 0:
        return f"{minutes} min"
    if days == 0:
        return f"{hours} h {minutes % 60} min" if minutes % 60 else f"{hours} h"
    return f"{days} d {hours % 24} h" if hours % 24 else f"{days} d"
