"""The only door from the pages to perf: cached questions, answered by the read model of the process's runtime."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import metadata

import msgspec

from dashboard import access, state
from dashboard.kept import forget as forget_answers
from dashboard.kept import kept
from perf import default, settings
from perf.health import Health
from perf.model import (
    Annotation,
    Beat,
    Change,
    Exemplar,
    Histogram,
    Labels,
    Level,
    Rows,
    RowsQuery,
    Selector,
    Series,
    SeriesInfo,
    StoreUsage,
    Threshold,
    Window,
    WriterStats,
)
from perf.model.access import Scope
from perf.runtime import Runtime
from perf.sources.sampler import SourceState
from perf.timerange import step_for
from perf.views import cache, distributions, series, thresholds, traces
from perf.views import caches as own_caches
from perf.views.cache import Simulated, TierNow, Worth
from perf.views.caches import TopKey
from perf.views.concerns import Concern
from perf.views.concerns import concerns as all_concerns
from perf.views.distributions import Heatmap, Total
from perf.views.series import Answer
from perf.views.thresholds import Breaches
from perf.views.traces import Traced

WEEK = 604_800.0


class Setting(msgspec.Struct, frozen=True, kw_only=True):
    """One setting in force: key, value as text, its variable, whether it differs from the default, and what it means."""

    key: str
    value: str
    variable: str
    changed: bool
    meaning: str


def runtime() -> Runtime:
    """The runtime that this process owns."""
    return default.get()


def now() -> float:
    """Unix seconds, by the runtime's clock."""
    return runtime().clock.now()


def clock_time(ts: float, zone: str, *, seconds: bool = False) -> str:
    """Unix seconds as a time of day in *zone*, with the date unless it is today's."""
    return state.clock_time(ts, zone, now(), seconds=seconds)


def age() -> float | None:
    """Seconds since the oldest series was first seen; None before anything was."""
    first = min((info.first_seen for info in runtime().store.series()), default=None)
    return None if first is None else now() - first


def health() -> Health:
    """The newest verdict of the probes; they run when it is older than a few seconds."""
    return runtime().health.check()


def limits() -> dict[str, Threshold]:
    """Metric -> threshold in force."""
    return runtime().thresholds()


def set_limit(metric: str, threshold: Threshold | None) -> None:
    """Store a threshold (None: back to the configured one) and forget what was computed with the old one."""
    rt = runtime()
    with access.doing(Scope.OPERATE):
        thresholds.change(rt.store, rt.writer, rt.clock, metric, threshold, author=access.person())
    forget_answers(concerns)


def changes() -> list[Change]:
    """The newest changes of settings first."""
    return runtime().store.changes(limit=50)


@kept(5.0)
def concerns() -> Sequence[Concern]:
    """Series above their thresholds, the worst first."""
    rt = runtime()
    return all_concerns(rt.store, rt.thresholds(), rt.clock.now())


@kept(60.0)
def breaches(metric: str, limit: float) -> Breaches:
    """What *limit* would have meant in the last seven days."""
    rt = runtime()
    end = rt.clock.now()
    return thresholds.breaches(rt.store, metric, limit, Window(end - WEEK, end))


@kept(10.0)
def newest(metric: str) -> Sequence[SeriesInfo]:
    """Series of *metric* that still report, with their newest values."""
    rt = runtime()
    return series.newest(rt.store, metric, rt.clock.now(), age=120.0)


@kept(10.0)
def known() -> Sequence[SeriesInfo]:
    """Every known series."""
    return series.known(runtime().store)


@kept(30.0)
def ranged(queries: tuple[str, ...], window: Window, max_points: int) -> Answer:
    """A range answer for figures that don't tick."""
    return series.answer(runtime().store, queries, window, max_points=max_points)


def recent(queries: tuple[str, ...]) -> list[Series | None]:
    """The last minute of each of *queries*, second by second; None where there is nothing."""
    end = now()
    found = dict(series.answer(runtime().store, queries, Window(end - 60.0, end), step=1.0).series)
    return [found.get(index) for index in range(len(queries))]


def by_hour(metric: str) -> Series | None:
    """Hourly means of the last 30 days over all series of *metric*; None when there is nothing yet."""
    end = now() // 3600 * 3600 + 3600
    found = ranged((f"avg({metric})",), Window(end - 30 * 86_400.0, end), 30 * 24)
    return found.series[0][1] if found.series and len(found.series[0][1].ts) else None


@kept(5.0)
def samples(query: RowsQuery) -> Rows:
    """One page of raw samples."""
    return runtime().store.rows(query)


def usage() -> StoreUsage:
    """What the store holds."""
    return runtime().store.usage()


def writer() -> WriterStats:
    """What the writer did so far."""
    return runtime().writer.stats()


def beats() -> list[tuple[Beat, float]]:
    """Every loop with the seconds since its last turn."""
    rt = runtime()
    monotonic = rt.clock.monotonic()
    return [(beat, max(0.0, monotonic - beat.last)) for beat in rt.beats()]


def sources() -> Sequence[SourceState]:
    """Every source: interval, last reading, what it costs and what is wrong with it."""
    return runtime().sampler.states()


def options() -> list[Setting]:
    """Every setting in force."""
    return [
        Setting(key=one.key, value=value, variable=one.variable, changed=value != one.shown, meaning=one.meaning)
        for one, value in settings.in_force(runtime().settings)
    ]


def retention() -> list[tuple[Level, float]]:
    """Level -> seconds that its rows are kept."""
    keep = runtime().settings.store.retention
    return [(Level.RAW, keep.raw), (Level.MINUTE, keep.minute), (Level.HOUR, keep.hour)]


def version() -> str:
    """perf's own version."""
    try:
        return metadata.version("perf-monitor")
    except metadata.PackageNotFoundError:
        from perf import __version__

        return __version__


@kept(10.0)
def totals(metric: str, window: Window, by: tuple[str, ...]) -> Sequence[Total]:
    """Number and sum of every group of series, the largest sum first; empty when nobody records *metric*."""
    rt = runtime()
    if not any(info.metric.name == metric for info in rt.store.series()):
        return []
    return distributions.totals(rt.store, metric, window, by)


@kept(10.0)
def shape(metric: str, labels: Labels, window: Window) -> Histogram:
    """Everything that the series with *labels* observed in *window*."""
    return distributions.distribution(runtime().store, Selector(metric, labels), window)


@kept(10.0)
def heat(metric: str, labels: Labels, window: Window) -> Heatmap | None:
    """How often each magnitude was observed, in at most 120 steps."""
    step = step_for(window.seconds, 120)
    return distributions.heatmap(runtime().store, Selector(metric, labels), window, step)


@kept(10.0)
def happened(window: Window) -> Sequence[Annotation]:
    """Deploys and notes, the oldest first."""
    return runtime().store.annotations(window)


@kept(10.0)
def traced(name: str, window: Window) -> Traced | None:
    """Who calls *name*, whom it calls, and what its time was spent in; None when no call of it was traced."""
    return traces.traced(runtime().store, name, window)


@kept(10.0)
def slowest(metric: str, labels: Labels, window: Window, limit: int) -> Sequence[Exemplar]:
    """The slowest calls that were kept, the slowest first."""
    return runtime().store.exemplars(Selector(metric, labels), window, limit)


def services(metric: str, labels: Labels) -> set[str]:
    """Who reports the series of *metric* with *labels*."""
    meant = Selector(metric, labels)
    return {dict(one.labels).get("service", "") for one in known() if meant.matches(one.metric.name, one.labels)}


def recorded(metric: str) -> bool:
    """Whether anybody has ever reported *metric*."""
    return any(info.metric.name == metric for info in known())


@kept(10.0)
def worth(window: Window, name: str) -> Worth:
    """What the caches called *name* (those of programs without one) answered, saved and threw away."""
    return cache.worth(runtime().store, window, name)


def caches() -> list[str]:
    """Every cache that was ever heard of."""
    return cache.names(runtime().store)


def cache_tiers(name: str) -> list[TierNow]:
    """What the tiers of caches hold now."""
    rt = runtime()
    return cache.tiers(rt.store, rt.clock.now(), name)


def what_if(name: str) -> list[Simulated]:
    """The hit ratio of memory at other bounds."""
    rt = runtime()
    return cache.what_if(rt.store, rt.clock.now(), name)


def top_keys(count: int) -> list[TopKey]:
    """The keys of this process's caches that saved most."""
    return own_caches.top_keys(count)


def forget(kind: str, text: str, name: str) -> int:
    """Make the caches of this process called *name* (all without one) forget a key, a tag or a pattern; how many entries
    their memory held of it.
    """
    wanted = {"key": text} if kind == "key" else {"tags": (text,)} if kind == "tag" else {"pattern": text}
    with access.doing(Scope.OPERATE, "cache.invalidate", f"{name} {kind} {text}".strip()):
        return own_caches.invalidate(name=name or None, **wanted) or 0
