"""Who calls whom, in a window."""

import pytest

from perf.clock import ManualClock
from perf.model import Kind, Metric, Sample, Window
from perf.settings import StoreSettings
from perf.store.memory import MemoryStore
from perf.views.traces import CALLS, CUT, SECONDS, SPLIT, Link, traced

START = 1_700_000_000.0
WINDOW = Window(START, START + 600.0)
EDGES = {
    ("", "GET /search", "request"): (10.0, 5.0),
    ("GET /search", "shop.rank", "function"): (10.0, 2.0),
    ("GET /search", "SELECT products", "database"): (30.0, 1.5),
    ("", "GET /home", "request"): (4.0, 1.0),
    ("GET /home", "SELECT products", "database"): (4.0, 0.5),
}


@pytest.fixture
def store() -> MemoryStore:
    found = MemoryStore(StoreSettings(backend="memory"), ManualClock(START + 600.0))
    for at, share in ((-60.0, 0.0), (120.0, 0.5), (300.0, 1.0)):
        for (caller, callee, kind), (calls, seconds) in EDGES.items():
            labels = (("callee", callee), ("caller", caller), ("kind", kind))
            found.append([Sample(START + at, Metric(CALLS, Kind.COUNTER, "1"), labels, 100 + calls * share)])
            found.append([Sample(START + at, Metric(SECONDS, Kind.COUNTER, "s"), labels, 7 + seconds * share)])
        for kind, seconds in (("self", 1.5), ("database", 3.5)):
            labels = (("function", "GET /search"), ("kind", kind))
            found.append([Sample(START + at, Metric(SPLIT, Kind.COUNTER, "s"), labels, seconds * share)])
    return found


def test_a_request_has_callees_and_a_split(store: MemoryStore) -> None:
    found = traced(store, "GET /search", WINDOW)

    assert found is not None
    assert (found.calls, found.seconds) == (10.0, 5.0)
    assert found.callers == []
    assert found.callees == [
        Link(name="shop.rank", kind="function", calls=10.0, seconds=2.0),
        Link(name="SELECT products", kind="database", calls=30.0, seconds=1.5),
    ]
    assert found.split == {"database": 3.5, "self": 1.5}
    assert found.cut == 0.0


def test_calls_of_which_only_a_part_was_seen_are_counted(store: MemoryStore) -> None:
    for at, count in ((-60.0, 5.0), (120.0, 8.0)):
        for name, factor in (("GET /search", 1.0), ("GET /home", 10.0)):
            store.append([Sample(START + at, Metric(CUT, Kind.COUNTER, "1"), (("function", name),), count * factor)])
    found = traced(store, "GET /search", WINDOW)

    assert found is not None
    assert found.cut == 3.0


def test_a_query_has_its_callers(store: MemoryStore) -> None:
    found = traced(store, "SELECT products", WINDOW)

    assert found is not None
    assert (found.calls, found.seconds) == (34.0, 2.0)
    assert [(link.name, link.calls) for link in found.callers] == [("GET /search", 30.0), ("GET /home", 4.0)]
    assert found.split == {}


def test_only_the_window_counts(store: MemoryStore) -> None:
    found = traced(store, "GET /search", Window(START + 200.0, START + 600.0))

    assert found is not None
    assert found.calls == 5.0


def test_what_was_never_traced_is_none(store: MemoryStore) -> None:
    assert traced(store, "nobody", WINDOW) is None
