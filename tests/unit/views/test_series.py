"""Ranges and known series, over a store in memory."""

from __future__ import annotations

import pytest

from perf.clock import ManualClock
from perf.errors import QueryError
from perf.model import Aggregate, Metric, Sample, Window
from perf.settings import StoreSettings
from perf.store.memory import MemoryStore
from perf.views import series

NOW = 1_700_000_000.0
DEPTH = Metric("queue_depth", unit="1")


@pytest.fixture
def store(clock: ManualClock) -> MemoryStore:
    found = MemoryStore(StoreSettings(), clock)
    found.append([Sample(NOW - 40 + 10 * n, DEPTH, (("queue", "mail"),), float(n + 1)) for n in range(4)])
    return found


def test_an_answer_starts_on_a_step(store: MemoryStore) -> None:
    got = series.answer(store, ["queue_depth"], Window(NOW - 35, NOW), step=20.0)
    assert (got.window, got.step) == (Window(NOW - 40, NOW), 20.0)
    assert [(index, s.values.tolist()) for index, s in got.series] == [(0, [1.5, 3.5])]


def test_without_a_step_the_smallest_round_one_is_taken(store: MemoryStore) -> None:
    assert series.answer(store, ["queue_depth"], Window(NOW - 3600, NOW), max_points=100).step == 60.0


def test_an_aggregate_holds_for_queries_that_name_none(store: MemoryStore) -> None:
    got = series.answer(
        store, ["queue_depth", "min_over_time(queue_depth)"], Window(NOW - 40, NOW), step=40.0, aggregate=Aggregate.MAX
    )
    assert [s.values.tolist() for _, s in got.series] == [[4.0], [1.0]]


@pytest.mark.parametrize("count", [0, series.MAX_QUERIES + 1])
def test_the_number_of_queries_is_bounded(store: MemoryStore, count: int) -> None:
    with pytest.raises(QueryError, match=f"ask 1 to 50 queries at a time, not {count}"):
        series.answer(store, ["queue_depth"] * count, Window(NOW - 40, NOW))


def test_known_series_match_any_selector_and_the_search(store: MemoryStore) -> None:
    store.append([Sample(NOW, DEPTH, (("queue", "Print"),), 0.0), Sample(NOW, Metric("cpu"), (), 0.0)])

    def found(*texts: str, search: str = "") -> list[int]:
        return [info.sid for info in series.known(store, texts, search)]

    assert found() == [1, 2, 3]
    assert found('queue_depth{queue="mail"}', "cpu") == [1, 3]
    assert found(search="pri") == [2]
    assert found("cpu", search="pri") == []


def test_newest_leaves_out_what_has_fallen_silent(store: MemoryStore) -> None:
    assert [info.last_value for info in series.newest(store, "queue_depth", NOW + 50)] == [4.0]
    assert series.newest(store, "queue_depth", NOW + 51) == []


def test_news_are_the_samples_since_a_moment_of_just_these_series(store: MemoryStore) -> None:
    store.append([Sample(NOW - 5, DEPTH, (("queue", "mail"), ("zone", "a")), 9.0)])
    first, second = store.series()
    assert series.news(store, [first], NOW - 20, NOW) == {1: [(NOW - 20, 3.0), (NOW - 10, 4.0)]}
    assert series.news(store, [first, second], NOW - 9, NOW) == {1: [], 2: [(NOW - 5, 9.0)]}


def test_too_many_news_are_refused(store: MemoryStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(series, "MAX_NEWS", 3)
    with pytest.raises(QueryError, match="3 samples or more since then"):
        series.news(store, store.series(), NOW - 30, NOW)
