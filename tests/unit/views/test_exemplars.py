"""Slow calls are asked for by a plain selector."""

from __future__ import annotations

import pytest

from perf.clock import ManualClock
from perf.errors import QueryError
from perf.model import Exemplar, Kind, Metric, Window
from perf.settings import StoreSettings
from perf.store.memory import MemoryStore
from perf.views.exemplars import slowest

T0 = 1_700_006_400.0
WAIT = Metric("wait_seconds", Kind.HISTOGRAM, "s")
CALLS = [Exemplar(ts=T0 + n, metric=WAIT, labels=(("route", "/ab"[: n + 1]),), seconds=float(n)) for n in range(3)]


@pytest.fixture
def store() -> MemoryStore:
    store = MemoryStore(StoreSettings(), ManualClock(T0))
    store.append(CALLS)
    return store


def test_the_slowest_come_first(store: MemoryStore) -> None:
    window = Window(T0, T0 + 10)
    assert slowest(store, "wait_seconds", window, 2) == [CALLS[2], CALLS[1]]
    assert slowest(store, 'wait_seconds{route="/"}', window) == [CALLS[0]]


@pytest.mark.parametrize(
    "text", ["p95(wait_seconds)", "sum(wait_seconds)", "max_over_time(wait_seconds)", "wait seconds"]
)
def test_anything_but_a_selector_is_refused(store: MemoryStore, text: str) -> None:
    with pytest.raises(QueryError):
        slowest(store, text, Window(T0, T0 + 10))
