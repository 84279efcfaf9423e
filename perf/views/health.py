"""Probes as people see and run them, how long they were up, and the score with its parts."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import msgspec

from perf.errors import PerfError
from perf.health import HealthChecker
from perf.health.plan import Plan
from perf.health.score import TITLES, Score, ratings, scored
from perf.model import Metric, ProbeResult, Sample, Selector, Spell, Status, UptimeCell, Window
from perf.ports import MetricStore, Store
from perf.settings import HealthSettings
from perf.views import cache, distributions
from perf.views.distributions import OPERATION, REQUEST
from perf.views.series import means

SCORE = Metric("health_score", unit="1", help="0 to 100, from response times, database, errors, cache and resources.")
SCORE_COST = Metric("health_score_cost", unit="1", help="Points that a part of the score cost.")
RESTART_SECONDS = 3_600.0
"""How long nobody may have looked for a state to go on as the same one."""


class UnknownProbe(PerfError):
    """There is no probe of that name."""


class ProbeState(msgspec.Struct, frozen=True, kw_only=True):
    """A probe: its plan, and what it said last (None before its first run)."""

    name: str
    plan: Plan
    result: ProbeResult | None


class Uptime(msgspec.Struct, frozen=True, kw_only=True):
    """How long a probe was up from *start* to *end* (Unix seconds): *ratio* is the share of the watched time in which it was
    not unhealthy (None: nobody looked); cells begin every *step* seconds.
    """

    probe: str
    ratio: float | None
    start: float
    end: float
    step: float
    cells: tuple[UptimeCell, ...]


def states(checker: HealthChecker) -> list[ProbeState]:
    """Every probe, without waiting for any."""
    results = {result.name: result for result in checker.newest().results}
    return [ProbeState(name=name, plan=plan, result=results.get(name)) for name, plan in checker.plans.items()]


def run(checker: HealthChecker, name: str = "") -> list[ProbeResult]:
    """The results of a run made now: of the probe *name* and what it waits for, or of all. Raises: UnknownProbe."""
    if name:
        one(checker, name)
    found = checker.check(fresh=True, only=(name,) if name else ()).results
    return [result for result in found if not name or result.name == name]


def one(checker: HealthChecker, name: str) -> ProbeState:
    """The probe *name*. Raises: UnknownProbe listing what is known."""
    found = next((state for state in states(checker) if state.name == name), None)
    if found is None:
        raise UnknownProbe(f"no probe {name!r}; known: {', '.join(sorted(checker.plans))}")
    return found


def aligned(seconds: float, cells: int, now: float) -> tuple[Window, float]:
    """The last *seconds* in *cells* steps, the last of which is still going on; and the width of a step."""
    step = seconds / cells
    end = math.ceil(now / step) * step
    return Window(end - seconds, end), step


def uptimes(store: MetricStore, names: Sequence[str], window: Window, step: float, now: float) -> list[Uptime]:
    """How long each of *names* was up in *window*, in their order; what lies after *now* doesn't count."""
    cells = store.probes.uptime(Window(window.start, min(window.end, now)), step)
    return [_uptime(name, [cell for cell in cells if cell.probe == name], window, step) for name in names]


def history(store: MetricStore, name: str, window: Window, limit: int) -> list[Spell]:
    """In which state the probe *name* was from when to when, the newest first."""
    return store.probes.spells(name, window, limit)


def score(store: Store, settings: HealthSettings, now: float, seconds: float | None = None) -> Score:
    """The score of the last *seconds*, by default of the window in *settings*, and what its numbers are called."""
    span = settings.score.window if seconds is None else seconds
    known = facts(store, Window(now - span, now + 1.0))
    found = scored(known, settings.score)
    words = ratings({**known, "score": found.value}, settings.ratings)
    return msgspec.structs.replace(found, ratings=words)


def facts(store: Store, window: Window) -> dict[str, float | None]:
    """What scores and ratings are made from, in *window*: the parts of a score, and ``process_memory`` in bytes (of the largest
    that is watched). None where nobody measured.
    """
    known = {info.metric.name for info in store.series()}
    found: dict[str, float | None] = dict.fromkeys(TITLES)
    for total in distributions.totals(store, REQUEST, window, ()) if REQUEST in known else ():
        if total.count:
            found["errors"] = None if total.errors is None else 100.0 * total.errors / total.count
            found["responses"] = distributions.distribution(store, Selector(REQUEST), window).quantile(0.95)
    for total in distributions.totals(store, OPERATION, window, ()) if OPERATION in known else ():
        found["database"] = total.mean if total.count else None
    if cache.REQUESTS in known:
        ratio = cache.worth(store, window, "").ratio
        found["cache"] = None if ratio is None else 100.0 * ratio
    for name in ("cpu", "memory"):
        found[name] = max(means(store, f"{name}_usage_percent", window), default=None)
    found["process_memory"] = max(means(store, "process_memory_bytes", window), default=None)
    return found


def samples(found: Score, ts: float) -> list[Sample]:
    """*found* as metrics stamped *ts*, so that it can be charted and alerted on."""
    if found.value is None:
        return []
    costs = [
        Sample(ts, SCORE_COST, (("part", part.name),), part.cost) for part in found.parts if part.value is not None
    ]
    return [Sample(ts, SCORE, (), found.value), *costs]


def resumed(store: MetricStore, names: Mapping[str, Plan], now: float) -> list[Spell]:
    """In which state each of *names* was left, and since when; nothing of those that nobody looked at for an hour."""
    window = Window(now - 30 * 86_400.0, now)
    found = (spell for name in names for spell in store.probes.spells(name, window, 1))
    return [spell for spell in found if now - spell.end <= RESTART_SECONDS]


def _uptime(name: str, cells: list[UptimeCell], window: Window, step: float) -> Uptime:
    known = sum(spent for cell in cells for status, spent in cell.seconds.items() if status is not Status.UNKNOWN)
    down = sum(cell.seconds.get(Status.UNHEALTHY, 0.0) for cell in cells)
    ratio = 1.0 - down / known if known else None
    return Uptime(probe=name, ratio=ratio, start=window.start, end=window.end, step=step, cells=tuple(cells))
