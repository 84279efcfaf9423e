"""The text form of a question."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perf.errors import QueryError
from perf.model import Across, Aggregate, Selector
from perf.selectors import MAX_LENGTH, Expression, parse

NAMES = st.from_regex(r"[a-z_][a-z0-9_]{0,12}", fullmatch=True)
LABELS = st.dictionaries(NAMES, st.text(max_size=12), max_size=3)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("cpu_usage_percent", Expression(selector=Selector("cpu_usage_percent"))),
        ('x{b="2", a="1"}', Expression(selector=Selector("x", (("a", "1"), ("b", "2"))))),
        ("x{}", Expression(selector=Selector("x"))),
        ("rate(x_total)", Expression(selector=Selector("x_total"), aggregate=Aggregate.RATE)),
        ("max(x)", Expression(selector=Selector("x"), across=Across.MAX)),
        ("max_over_time(x)", Expression(selector=Selector("x"), aggregate=Aggregate.MAX)),
        (
            " sum by ( device , host ) ( rate ( x_total ) ) ",
            Expression(
                selector=Selector("x_total"), aggregate=Aggregate.RATE, across=Across.SUM, by=("device", "host")
            ),
        ),
        ("sum", Expression(selector=Selector("sum"))),
        (r'x{a="say \"hi\" \\"}', Expression(selector=Selector("x", (("a", 'say "hi" \\'),)))),
    ],
)
def test_text_means_expression(text: str, expected: Expression) -> None:
    assert parse(text) == expected


@pytest.mark.parametrize(
    ("text", "position", "message"),
    [
        ("", 0, "expected the name of a metric, found the end"),
        ("sum(x", 5, r"expected '\)', found the end"),
        ("nope(x)", 0, "no function 'nope'"),
        ("x{a=b}", 4, 'expected a value in "quotes"'),
        ("x y", 2, "expected the end of the query, found 'y'"),
        ("x; drop", 1, "unexpected ';' at column 2"),
        ("x{a}", 3, "expected '='"),
        ('x{a="1" b="2"}', 8, "expected ','"),
        ("sum by () (x)", 8, "expected a label"),
        ("5", 0, "unexpected '5'"),
        ("avg(p95_over_time(x))", 4, r"percentiles can't be combined by avg; p95\(...\) merges the distributions"),
        ("max by (a) (p50_over_time(x))", 12, r"combined by max; p50 by \(label\) \(...\) merges"),
        ("p95(p95_over_time(x))", 4, r"p95\(...\) takes a metric, not p95_over_time"),
        ("p99 by (a) (rate(x))", 12, r"p99\(...\) takes a metric, not rate"),
        ("avg(p95(x))", 4, "p95 stands outermost"),
        ("p95(avg(x))", 4, "avg stands outermost"),
        ("merge(x)", 0, "no function 'merge'"),
        ("p90(x)", 0, "no function 'p90' at column 1; known: sum, avg, min, max, p50, p95, p99, rate"),
    ],
)
def test_nonsense_is_refused_with_its_column(text: str, position: int, message: str) -> None:
    with pytest.raises(QueryError, match=message) as caught:
        parse(text)
    assert caught.value.position == position


def test_long_text_is_refused() -> None:
    with pytest.raises(QueryError, match=f"at most {MAX_LENGTH} characters"):
        parse("x" * (MAX_LENGTH + 1))


@given(
    name=NAMES,
    labels=LABELS,
    aggregate=st.none() | st.sampled_from(Aggregate),
    across=st.none() | st.sampled_from(Across),
    by=st.lists(NAMES, max_size=2),
)
def test_an_expression_survives_its_text(
    name: str, labels: dict[str, str], aggregate: Aggregate | None, across: Across | None, by: list[str]
) -> None:
    selector = Selector(name, tuple(sorted(labels.items())))
    percentile = aggregate is not None and aggregate.quantile is not None
    if across and percentile:
        across = Across.MERGE  # nothing else combines percentiles
    elif across is Across.MERGE:
        across = None
    expression = Expression(selector=selector, aggregate=aggregate, across=across, by=tuple(by) if across else ())
    assert parse(str(expression)) == expression


@given(st.text(max_size=60))
def test_any_text_parses_or_is_refused(text: str) -> None:
    try:
        parse(text)
    except QueryError as error:
        assert 0 <= error.position <= len(text)


@pytest.mark.parametrize(
    ("text", "aggregate", "across", "by"),
    [
        ("p95(x)", Aggregate.P95, Across.MERGE, ()),
        ("p50 by (route, status) (x)", Aggregate.P50, Across.MERGE, ("route", "status")),
        ("p99_over_time(x)", Aggregate.P99, None, ()),
        ("p95", None, None, ()),
    ],
)
def test_percentiles_merge_or_stand_alone(
    text: str, aggregate: Aggregate | None, across: Across | None, by: tuple[str, ...]
) -> None:
    found = parse(text)
    assert (found.aggregate, found.across, found.by, str(found)) == (aggregate, across, by, text)
