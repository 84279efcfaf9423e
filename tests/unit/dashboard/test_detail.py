"""One row in detail: releases, changes, and what a deploy is called."""

from __future__ import annotations

import pytest

from dashboard import charts, panels, tables
from dashboard.detail import ENOUGH, change, cut, shortened
from perf.model import DEPLOY, NOTE, Annotation, Histogram, Window
from perf.views.traces import Traced

WINDOW = Window(1_000.0, 2_000.0)


def deploy(ts: float, title: str, service: str = "shop") -> Annotation:
    return Annotation(ts=ts, kind=DEPLOY, title=title, service=service)


def test_a_range_is_cut_at_its_deploys() -> None:
    parts = cut(WINDOW, [deploy(500.0, "v1"), deploy(1_200.0, "v2"), deploy(1_600.0, "v3")])

    assert parts == [
        ("shop v1", Window(1_000.0, 1_200.0)),
        ("shop v2", Window(1_200.0, 1_600.0)),
        ("shop v3", Window(1_600.0, 2_000.0)),
    ]


def test_without_an_earlier_deploy_the_first_part_is_before() -> None:
    assert cut(WINDOW, [deploy(1_200.0, "v2")])[0] == ("before", Window(1_000.0, 1_200.0))
    assert cut(WINDOW, []) == [("before", WINDOW)]


def test_deploys_at_the_same_moment_leave_no_empty_part() -> None:
    parts = cut(WINDOW, [deploy(1_200.0, "v2"), deploy(1_200.0, "v7", "office"), deploy(2_500.0, "v9")])

    assert [name for name, _ in parts] == ["before", "office v7"]


@pytest.mark.parametrize(
    ("one", "words"),
    [
        (deploy(0.0, "v2"), "deploy shop v2"),
        (deploy(0.0, "v2", ""), "deploy v2"),
        (Annotation(ts=0.0, kind=NOTE, title="Newsletter", service="shop"), "shop Newsletter"),
    ],
)
def test_what_happened_has_a_name(one: Annotation, words: str) -> None:
    assert panels.mark_text(one) == words


@pytest.mark.parametrize(
    ("now", "before", "words"),
    [(0.2, 0.1, "100 ms, ▲ +100 %"), (0.1, 0.2, "200 ms, ▼ −50 %"), (0.1, 0.1, "100 ms, as usual")],
)
def test_a_change_is_said_when_it_is_one(now: float, before: float, words: str) -> None:
    assert change(Histogram.of([now] * ENOUGH), Histogram.of([before] * ENOUGH)) == words


def test_a_change_of_few_calls_is_none() -> None:
    assert change(Histogram.of([1.0] * ENOUGH), Histogram.of([0.1] * (ENOUGH - 1))) == "too few calls"


def test_a_split_shows_every_kind_in_one_order() -> None:
    figure = charts.splits([("before", {"self": 0.1}), ("now", {"self": 0.1, "database": 0.3, "job": 0.001})])

    assert [(bar.name, tuple(bar.x)) for bar in figure.data] == [
        ("itself", (0.1, 0.1)),
        ("database", (0.0, 0.3)),
        ("job", (0.0, 0.001)),
    ]
    assert tuple(figure.data[2].text) == ("", ""), "too narrow for words"


def test_markdown_in_a_name_is_only_text() -> None:
    assert tables.escaped("GET /a_b/{id}*") == r"GET /a\_b/\{id\}\*"


def test_calls_that_a_trace_was_too_short_for_are_told_as_a_share() -> None:
    found = Traced(name="import", calls=8.0, seconds=80.0, callers=[], callees=[], split={}, cut=2.0)

    assert shortened(found).startswith("25 % of the traced calls went on for longer than a trace does")
