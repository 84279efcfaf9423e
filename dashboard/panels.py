"""What the host's panels show: queries, units, names and notes. Pages arrange them, components draw them."""

from __future__ import annotations

from dashboard import alerting, data
from dashboard.components.live import Annotation as Mark
from dashboard.components.live import Band, Line, Tile, View, live_chart, live_strip, live_tiles
from dashboard.components.live import Threshold as Limit
from dashboard.state import State
from dashboard.units import show
from perf.model import DEPLOY, Annotation, Kind, Level, Metric, Severity

BYTES_PER_SAMPLE = 4.0  # Sealed 3.5, and 9 for the newest six hours: docs/benchmarks.md.
RECEIVED = "sum(rate(network_receive_bytes_total))"
SENT = "sum(rate(network_transmit_bytes_total))"
READ = "sum(rate(disk_read_bytes_total))"
WRITTEN = "sum(rate(disk_write_bytes_total))"
MODES = tuple(
    Line(f'cpu_time_percent{{mode="{mode}"}}', mode, style="stack") for mode in ("user", "system", "iowait", "softirq")
)

RECORDING = (
    Tile(label="A call", query="max(perf_record_call_seconds)", unit="s", note="recorded; slowest program"),
    Tile(label="Recording", query="max(perf_record_cpu_ratio)", unit="ratio", note="of a core; busiest program"),
    Tile(label="Not recorded", query="sum(rate(perf_record_dropped_total))", unit="1/s", note="dropped", quiet=True),
    Tile(
        label="Lost batches",
        query='sum(rate(perf_send_batches_total{result!~"sent|spooled"}))',
        unit="1/s",
        note="of programs",
        quiet=True,
    ),
)
"""What recording costs and loses in all programs."""


def view(state: State) -> View:
    """The reader's choice as the components want it."""
    return View(
        window_seconds=state.seconds,
        end=None if state.window is None else state.window.end,
        step=state.step,
        refresh=state.ticks or None,
        zone=state.zone,
        compare_shift=state.shift,
        compare_label=state.compare_label,
    )


def limits(metric: str) -> tuple[Limit, ...]:
    """The threshold lines of *metric*."""
    threshold = data.limits().get(metric)
    if threshold is None:
        return ()
    found = [Limit(threshold.warning, "warning", "warning")]
    if threshold.critical is not None:
        found.append(Limit(threshold.critical, "critical", "critical"))
    return tuple(found)


def cores() -> str:
    """What CPU shares are shares of."""
    count = len(data.newest("cpu_core_usage_percent"))
    quota = data.newest("cpu_limit_cores")
    if quota and quota[0].last_value:
        return f"of {quota[0].last_value:g} cores, container limit"
    return f"of {count} cores" if count else ""


def memory() -> str:
    """What memory shares are shares of."""
    found = data.newest("memory_limit_bytes")
    return f"of {show(found[0].last_value, 'By')}" if found else ""


def marks(state: State) -> tuple[Mark, ...]:
    """Deploys and notes in the range, for every chart."""
    now = data.now() // 10 * 10
    return tuple(Mark(one.ts, mark_text(one)) for one in data.happened(state.span(now)))


def bands(state: State) -> tuple[Band, ...]:
    """When alerts fired in the range, for every chart."""
    return tuple(
        Band(one.start, one.end, "critical" if one.severity is Severity.CRITICAL else "warning", one.name)
        for one in alerting.firings(alerting.span(state))
    )


def mark_text(one: Annotation) -> str:
    """``deploy shop v1.8.0``, or a note's title."""
    parts = (one.kind, one.service, one.title) if one.kind == DEPLOY else (one.service, one.title)
    return " ".join(part for part in parts if part)


def chart(  # noqa: PLR0913 - as `live_chart`
    key: str,
    found: tuple[Line, ...],
    state: State,
    *,
    unit: str,
    alt: str,
    height: int = 240,
    y_max: float | None = None,
    metric: str = "",
    envelope: bool = False,
) -> None:
    """A live chart of the page's range with its deploys, notes and alerts, and the threshold lines of *metric*."""
    live_chart(
        key,
        found,
        view(state),
        unit=unit,
        alt=alt,
        height=height,
        y_max=y_max,
        thresholds=limits(metric),
        annotations=marks(state),
        bands=bands(state),
        envelope=envelope,
    )


def cpu(state: State, *, height: int = 240) -> None:
    """CPU with its extremes, its thresholds and the comparison."""
    chart(
        "cpu",
        (Line("cpu_usage_percent", "CPU", style="area"),),
        state,
        unit="%",
        height=height,
        y_max=100.0,
        metric="cpu_usage_percent",
        envelope=True,
        alt="CPU in use over time, in percent",
    )


def used_memory(state: State, *, height: int = 240) -> None:
    """Memory in use with its thresholds and the comparison."""
    chart(
        "memory",
        (Line("memory_usage_percent", "memory", style="area"),),
        state,
        unit="%",
        height=height,
        y_max=100.0,
        metric="memory_usage_percent",
        envelope=True,
        alt="Memory in use over time, in percent",
    )


def lines(key: str, found: tuple[Line, ...], state: State, *, unit: str, alt: str, height: int = 170) -> None:
    """A small chart without thresholds."""
    chart(key, found, state, unit=unit, height=height, alt=alt)


def trend(metric: Metric, state: State) -> None:
    """All series of one metric with the extremes of every step."""
    unit = f"{metric.unit or '1'}/s" if metric.kind is Kind.COUNTER else metric.unit
    chart(
        f"trend_{metric.name}",
        (Line(metric.name, ""),),
        state,
        unit=unit,
        metric=metric.name,
        envelope=metric.kind is Kind.GAUGE,
        alt=f"{metric.name} over time",
    )


def checks(state: State) -> None:
    """The worst state of every check, step by step."""
    live_strip("checks", "max_over_time(probe_status)", "probe", view(state), alt="States of all checks")


def store_note() -> str:
    """Where the store is and how big."""
    found = data.usage()
    free = "" if found.free_bytes is None else f", {show(found.free_bytes, 'By')} free"
    return f"{found.location}, {show(found.file_bytes, 'By')} + {show(found.wal_bytes, 'By')} log{free}"


def growth() -> str:
    """How big the store will get at the present rate."""
    found, stats = data.usage(), data.writer()
    started = data.runtime().started or data.now()
    elapsed = max(1.0, data.now() - started)
    if elapsed < 60 or not stats.stored:
        return "a forecast needs a minute of data"
    rate = stats.stored / elapsed
    raw = next(seconds for level, seconds in data.retention() if level is Level.RAW)
    size = rate * raw * BYTES_PER_SAMPLE
    return (
        f"{rate:.0f} samples/s; raw samples will level off near {show(size, 'By')} (now {show(found.file_bytes, 'By')})"
    )


def overhead(state: State) -> None:
    """What perf costs this machine, and what recording costs and loses in all programs."""
    own = '{process="perf"}'
    live_tiles(
        "own",
        (
            Tile(label="CPU", query=f"process_cpu_percent{own}", unit="%", note="of one core"),
            Tile(label="Memory", query=f"process_memory_bytes{own}", unit="By", note="resident"),
            Tile(label="Commit", query="perf_store_commit_seconds", unit="s", note="newest"),
            Tile(label="Samples", query="rate(perf_samples_stored_total)", unit="1/s", note="stored"),
            Tile(label="Dropped", query="sum(rate(perf_samples_dropped_total))", unit="1/s", note="samples"),
            Tile(label="Store", query="perf_store_file_bytes", unit="By", note="file"),
        ),
        view(state),
    )
    live_tiles("recording", RECORDING, view(state))
