"""The exposition formats, read back by prometheus_client's parsers."""

from __future__ import annotations

import math
import re
from collections import defaultdict
from time import perf_counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Gauge, generate_latest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from perf.api import exposition
from perf.model import Kind, Labels, Metric, SeriesInfo

NOW = 1_700_000_000.0
CPU = Metric("cpu_usage_percent", Kind.GAUGE, "%", "CPU in use.")
READ = Metric("disk_read_bytes_total", Kind.COUNTER, "By", "Bytes read.")

Found = dict[tuple[str, frozenset[tuple[str, str]]], float]


def info(metric: Metric, value: float | None, labels: Labels = (), ts: float | None = NOW) -> SeriesInfo:
    return SeriesInfo(1, metric, labels, NOW, ts, value)


def samples(families: object) -> Found:
    return {(s.name, frozenset(s.labels.items())): s.value for f in families for s in f.samples}  # type: ignore[attr-defined]


def both(*series: SeriesInfo) -> Found:
    """What both parsers read; they must agree."""
    plain = samples(parse_text(exposition.text(series, now=NOW).decode()))
    opened = samples(parse_openmetrics(exposition.openmetrics(series, now=NOW).decode()))  # type: ignore[no-untyped-call]  # untyped there
    assert plain == opened
    return plain


def test_text_of_a_gauge_and_a_counter() -> None:
    series = [info(CPU, 12.5), info(READ, 1e6, (("device", "sda"),))]
    assert exposition.text(series, now=NOW).decode() == (
        "# HELP cpu_usage_percent CPU in use.\n"
        "# TYPE cpu_usage_percent gauge\n"
        "cpu_usage_percent 12.5\n"
        "# HELP disk_read_bytes_total Bytes read.\n"
        "# TYPE disk_read_bytes_total counter\n"
        'disk_read_bytes_total{device="sda"} 1000000.0\n'
    )


def test_openmetrics_of_a_gauge_and_a_counter() -> None:
    series = [info(CPU, 12.5), info(READ, 1e6, (("device", "sda"),))]
    assert exposition.openmetrics(series, now=NOW).decode() == (
        "# TYPE cpu_usage_percent gauge\n"
        "# UNIT cpu_usage_percent percent\n"
        "# HELP cpu_usage_percent CPU in use.\n"
        "cpu_usage_percent 12.5\n"
        "# TYPE disk_read_bytes counter\n"
        "# UNIT disk_read_bytes bytes\n"
        "# HELP disk_read_bytes Bytes read.\n"
        'disk_read_bytes_total{device="sda"} 1000000.0\n'
        "# EOF\n"
    )


def test_no_series_is_an_empty_text_and_only_an_end_in_openmetrics() -> None:
    assert exposition.text([], now=NOW) == b""
    assert exposition.openmetrics([], now=NOW) == b"# EOF\n"


def test_a_unit_that_the_name_does_not_end_with_is_not_named() -> None:
    page = exposition.openmetrics([info(Metric("load_average", unit="1"), 1.0)], now=NOW).decode()
    assert "# UNIT" not in page
    assert both(info(Metric("load_average", unit="1"), 1.0)) == {("load_average", frozenset()): 1.0}


def test_a_series_without_a_recent_value_is_left_out() -> None:
    fresh, stale = info(CPU, 1.0, (("n", "a"),), NOW - 300), info(CPU, 2.0, (("n", "b"),), NOW - 301)
    never = info(CPU, None, (("n", "c"),), None)
    assert both(fresh, stale, never) == {("cpu_usage_percent", frozenset({("n", "a")})): 1.0}


def test_a_counter_without_the_suffix_gets_it() -> None:
    assert both(info(Metric("calls", Kind.COUNTER), 3.0)) == {("calls_total", frozenset()): 3.0}


@pytest.mark.parametrize("value", [-1.0, math.nan])
def test_a_counter_that_can_not_be_one_does_not_spoil_the_page(value: float) -> None:
    assert both(info(READ, value), info(CPU, 1.0)) == {("cpu_usage_percent", frozenset()): 1.0}


@pytest.mark.parametrize(("value", "shown"), [(math.inf, "+Inf"), (-math.inf, "-Inf"), (math.nan, "NaN"), (0.1, "0.1")])
def test_numbers_are_written_in_go_form(value: float, shown: str) -> None:
    assert exposition.text([info(Metric("x"), value)], now=NOW).decode().splitlines()[-1] == f"x {shown}"


def test_names_are_made_valid_and_equal_labels_joined() -> None:
    series = info(Metric("http.server-time"), 1.0, (("1st", "b"), ("__x", "c"), ("a-b", "d"), ("a.b", "e"), ("ü", "f")))
    expected = frozenset({("_1st", "b"), ("_x", "c"), ("a_b", "d;e"), ("_", "f")})
    assert both(series) == {("http_server_time", expected): 1.0}


def test_series_that_become_equal_show_the_newer() -> None:
    old, new = info(Metric("a.b"), 1.0, ts=NOW - 5), info(Metric("a_b"), 2.0, ts=NOW)
    assert both(old, new) == both(new, old) == {("a_b", frozenset()): 2.0}


def test_kinds_that_want_the_same_name_are_told_apart() -> None:
    counter, gauge = info(Metric("x_total", Kind.COUNTER), 1.0), info(Metric("x"), 2.0)
    assert both(counter, gauge) == {("x_total", frozenset()): 1.0, ("x_gauge", frozenset()): 2.0}
    taken = info(Metric("x_gauge"), 3.0)
    assert both(taken, counter, gauge)[("x_gauge_3", frozenset())] == 2.0


def test_lone_surrogates_do_not_break_the_page() -> None:
    assert both(info(CPU, 1.0, (("a", "\ud800"),))) == {("cpu_usage_percent", frozenset({("a", "?")})): 1.0}


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        ("", exposition.TEXT_TYPE),
        ("*/*", exposition.TEXT_TYPE),
        ("text/html,application/xhtml+xml,*/*;q=0.8", exposition.TEXT_TYPE),
        ("application/openmetrics-text; version=1.0.0", exposition.OPENMETRICS_TYPE),
        (
            "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
            exposition.OPENMETRICS_TYPE,
        ),
        ("application/openmetrics-text;q=0.4, text/plain;q=0.9", exposition.TEXT_TYPE),
        ("application/openmetrics-text;q=0", exposition.TEXT_TYPE),
        ("application/openmetrics-text;q=high", exposition.TEXT_TYPE),
    ],
)
def test_openmetrics_goes_to_who_asks_for_it(accept: str, content_type: str) -> None:
    found, renderer = exposition.negotiate(accept)
    assert found == content_type
    assert renderer is (exposition.openmetrics if "openmetrics" in content_type else exposition.text)


_VALUES = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)


@given(_VALUES, _VALUES)
def test_any_label_value_is_read_back_as_it_was(first: str, second: str) -> None:
    found = both(info(CPU, 1.0, (("a", first), ("b", second))))
    assert found == {("cpu_usage_percent", frozenset({("a", first), ("b", second)})): 1.0}


@given(
    st.lists(
        st.tuples(
            st.text("ab.:_1é \n", min_size=1, max_size=5).map(lambda name: name + "_total" * (len(name) % 2)),
            st.sampled_from([Kind.GAUGE, Kind.COUNTER]),
            st.sampled_from(["", "s", "By", "b", "total"]),
            _VALUES,
            st.dictionaries(st.text("ab._1é", min_size=1, max_size=4), _VALUES, max_size=2),
        ),
        max_size=6,
    )
)
def test_any_names_give_a_page_that_both_parsers_read(
    drawn: list[tuple[str, Kind, str, str, dict[str, str]]],
) -> None:
    series = [
        info(Metric(name, kind, unit, help), 1.0, tuple(sorted(labels.items())))
        for name, kind, unit, help, labels in drawn
    ]
    assert bool(both(*series)) == bool(drawn)


@given(st.lists(st.sampled_from(["x", "x_total", "x_created", "x_gauge", "x.total"]), min_size=1, max_size=5))
def test_every_exposed_name_belongs_to_one_family(names: list[str]) -> None:
    series = [info(Metric(name, kind), 1.0) for name in names for kind in (Kind.GAUGE, Kind.COUNTER)]
    page = exposition.text(series, now=NOW).decode()
    owners = defaultdict(set)
    for number, name in enumerate(re.findall(r"^# TYPE (\S+)", page, re.MULTILINE)):
        owners[name].add(number)
    assert all(len(numbers) == 1 for numbers in owners.values())


def test_a_thousand_series_cost_at_most_three_times_what_the_official_client_takes() -> None:
    registry = CollectorRegistry()
    gauges = [Gauge(f"metric_{n}_bytes", "Some bytes.", ("device", "host"), registry=registry) for n in range(50)]
    series = []
    for n in range(1000):
        gauges[n % 50].labels(f"sd{n}", "a").set(n / 7)
        labels = (("device", f"sd{n}"), ("host", "a"))
        series.append(info(Metric(f"metric_{n % 50}_bytes", unit="By", help="Some bytes."), n / 7, labels))

    def text() -> object:
        return exposition.text(series, now=NOW)

    def openmetrics() -> object:
        return exposition.openmetrics(series, now=NOW)

    def peer() -> object:
        return generate_latest(registry)

    best = {text: math.inf, openmetrics: math.inf, peer: math.inf}
    for _ in range(15):
        for render in (text, openmetrics, peer):
            start = perf_counter()
            render()
            best[render] = min(best[render], perf_counter() - start)
    assert max(best[text], best[openmetrics]) < 3.0 * best[peer]
