"""What the host's panels show: queries, units, names and notes. Pages arrange them, components draw them."""

from __future__ import annotations

from dashboard import data, ui
from dashboard.components.live import Line, Tile, View, live_chart, live_strip, live_tiles
from dashboard.components.live import Threshold as Limit
from dashboard.state import State, lasted
from dashboard.theme import LOOKS
from dashboard.units import show
from perf.health import Health
from perf.model import Kind, Labels, Level, Metric, Status
from perf.views.summary import Concern

_RESOURCES = ("cpu_usage_percent", "memory_usage_percent", "swap_usage_percent")
BYTES_PER_SAMPLE = 4.0  # Sealed 3.5, and 9 for the newest six hours: docs/benchmarks.md.
_WORDS = {
    "cpu_usage_percent": "CPU",
    "memory_usage_percent": "memory",
    "disk_usage_percent": "disk",
    "swap_usage_percent": "swap",
}
RECEIVED = "sum(rate(network_receive_bytes_total))"
SENT = "sum(rate(network_transmit_bytes_total))"
READ = "sum(rate(disk_read_bytes_total))"
WRITTEN = "sum(rate(disk_write_bytes_total))"
MODES = tuple(
    Line(f'cpu_time_percent{{mode="{mode}"}}', mode, style="stack") for mode in ("user", "system", "iowait", "softirq")
)


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


def tiles(state: State) -> None:
    """Six numbers that keep themselves up to date."""
    live_tiles("tiles", overview_tiles(), view(state))


def overview_tiles() -> tuple[Tile, ...]:
    """Three shares with thresholds, and three kinds of work."""
    bound = data.limits()

    def tile(label: str, query: str, unit: str, note: str = "", metric: str = "") -> Tile:
        limit = bound.get(metric)
        return Tile(
            label=label,
            query=query,
            unit=unit,
            note=note,
            warning=limit.warning if limit else None,
            critical=limit.critical if limit else None,
            delta="points" if unit == "%" else "relative",
        )

    return (
        tile("CPU", "cpu_usage_percent", "%", cores(), "cpu_usage_percent"),
        tile("Memory", "memory_usage_percent", "%", memory(), "memory_usage_percent"),
        tile("Disk", "max(disk_usage_percent)", "%", "the fullest", "disk_usage_percent"),
        tile("Load", 'load_average{period="1m"}', "", "tasks, 1 min"),
        tile("Network", "sum(rate(network_receive_bytes_total))", "By/s", "received"),
        tile("Disk writes", WRITTEN, "By/s", "all disks"),
    )


def cpu(state: State, *, height: int = 240) -> None:
    """CPU with its extremes, its thresholds and the comparison."""
    live_chart(
        "cpu",
        (Line("cpu_usage_percent", "CPU", style="area"),),
        view(state),
        unit="%",
        height=height,
        y_max=100.0,
        thresholds=limits("cpu_usage_percent"),
        envelope=True,
        alt="CPU in use over time, in percent",
    )


def used_memory(state: State, *, height: int = 240) -> None:
    """Memory in use with its thresholds and the comparison."""
    live_chart(
        "memory",
        (Line("memory_usage_percent", "memory", style="area"),),
        view(state),
        unit="%",
        height=height,
        y_max=100.0,
        thresholds=limits("memory_usage_percent"),
        envelope=True,
        alt="Memory in use over time, in percent",
    )


def lines(key: str, found: tuple[Line, ...], state: State, *, unit: str, alt: str, height: int = 170) -> None:
    """A small chart without thresholds."""
    live_chart(key, found, view(state), unit=unit, height=height, alt=alt)


def trend(metric: Metric, state: State) -> None:
    """All series of one metric with the extremes of every step."""
    bound = data.limits().get(metric.name)
    unit = f"{metric.unit or '1'}/s" if metric.kind is Kind.COUNTER else metric.unit
    live_chart(
        f"trend_{metric.name}",
        (Line(metric.name, ""),),
        view(state),
        unit=unit,
        thresholds=limits(metric.name) if bound else (),
        envelope=metric.kind is Kind.GAUGE,
        alt=f"{metric.name} over time",
    )


def checks(state: State) -> None:
    """The worst state of every check, step by step."""
    live_strip("checks", "max_over_time(probe_status)", "probe", view(state), alt="States of all checks")


def verdict(health: Health) -> None:
    """The health page's answer."""
    bad = [result for result in health.results if result.status is not Status.HEALTHY]
    words = "All checks pass." if not bad else f"{len(bad)} of {len(health.results)} checks need a look."
    ui.answer(health.status, f"{LOOKS[health.status].word.capitalize()}.", f"{words} {health.sentence if bad else ''}")


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
    """What perf costs this machine."""
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


def named(metric: str, labels: Labels) -> str:
    """A series in words: ``CPU``, ``disk /data``."""
    values = " ".join(value for _, value in labels)
    return f"{_WORDS.get(metric, metric)} {values}".strip()


def answer() -> None:
    """The overview's answer."""
    ui.answer(*overview())


def overview() -> tuple[Status, str, str]:
    """The state of everything now."""
    return headline(data.concerns(), data.health())


def headline(found: list[Concern], health: Health) -> tuple[Status, str, str]:
    """The state of everything, in a word and a sentence."""
    now = data.now()
    words = [
        f"{named(c.metric, c.labels)} {show(c.value, c.unit)}, above {c.limit:g} {c.unit} for {lasted(now - c.since)}"
        for c in found
    ]
    said = {"resources" if concern.metric in _RESOURCES else "disk" for concern in found}
    words += [
        f"{result.name}: {result.message}"
        for result in health.results
        if result.status is not Status.HEALTHY
        and not (result.name in said and "free for the store" not in result.message)
    ]
    status = Status.worst([health.status, *(concern.status for concern in found)])
    if not words:
        return status, "Healthy.", f"{_now()} All {len(health.results)} checks pass."
    count = "One thing needs a look" if len(words) == 1 else f"{len(words)} things need a look"
    return status, f"{LOOKS[status].word.capitalize()}.", f"{count}: {'; '.join(words)}."


def _now() -> str:
    """The three shares in a sentence; empty before the first values."""
    parts = []
    for metric in ("cpu_usage_percent", "memory_usage_percent", "disk_usage_percent"):
        values = [info.last_value for info in data.newest(metric) if info.last_value is not None]
        if values:
            word = _WORDS[metric] if metric != "disk_usage_percent" else "the fullest disk"
            parts.append(f"{word} {show(max(values), '%')}")
    return f"{', '.join(parts)}." if parts else ""
