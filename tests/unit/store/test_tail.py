"""The newest samples in memory: when they answer, and when the file must."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from perf.clock import ManualClock
from perf.model import Aggregate, Kind, Metric, RangeQuery, Sample, Selector, Window
from perf.settings import StoreSettings
from perf.store import tail
from perf.store.duckdb import DuckDBStore, read

T0 = 1_700_006_400.0
LOAD = Metric("load", Kind.GAUGE)
SENT = Metric("sent_total", Kind.COUNTER)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[DuckDBStore]:
    opened = DuckDBStore(StoreSettings(path=str(tmp_path / "perf.duckdb")), ManualClock(T0))
    yield opened
    opened.close()


def statements(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every statement that a range answer needs from now on."""
    seen: list[str] = []
    made = read.statement

    def counted(*args: object, **options: object) -> str:
        seen.append("asked")
        return made(*args, **options)  # type: ignore[arg-type]  # handed on as they are

    monkeypatch.setattr(read, "statement", counted)
    return seen


def ask(store: DuckDBStore, metric: Metric, start: float, end: float, step: float = 10.0) -> list[tuple[float, float]]:
    query = RangeQuery(selector=Selector(metric.name), window=Window(start, end), step=step)
    return [pair for s in store.read(query) for pair in zip(s.ts.tolist(), s.values.tolist(), strict=True)]


def test_the_last_seconds_need_no_statement(store: DuckDBStore, monkeypatch: pytest.MonkeyPatch) -> None:
    store.append([Sample(T0 + at, LOAD, (), float(at)) for at in range(20)])
    seen = statements(monkeypatch)
    assert ask(store, LOAD, T0, T0 + 20) == [(T0, 4.5), (T0 + 10, 14.5)]
    assert seen == []


def test_what_was_stored_before_the_start_comes_from_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = StoreSettings(path=str(tmp_path / "perf.duckdb"))
    before = DuckDBStore(settings, ManualClock(T0))
    before.append([Sample(T0 + at, LOAD, (), 1.0) for at in range(10)])
    before.close()
    store = DuckDBStore(settings, ManualClock(T0))
    store.append([Sample(T0 + 10 + at, LOAD, (), 2.0) for at in range(10)])
    seen = statements(monkeypatch)
    assert ask(store, LOAD, T0, T0 + 20) == [(T0, 1.0), (T0 + 10, 2.0)]
    assert len(seen) == 1
    assert ask(store, LOAD, T0 + 10, T0 + 20) == [(T0 + 10, 2.0)]
    assert len(seen) == 1
    store.close()


def test_a_rate_takes_the_neighbour_before_its_window(store: DuckDBStore, monkeypatch: pytest.MonkeyPatch) -> None:
    store.append([Sample(T0 + at, SENT, (), 3.0 * at) for at in range(0, 700, 5)])
    seen = statements(monkeypatch)
    assert ask(store, SENT, T0 + 600, T0 + 620) == [(T0 + 600, 3.0), (T0 + 610, 3.0)]
    assert seen == []


def test_old_samples_are_let_go_and_answered_by_the_file(store: DuckDBStore, monkeypatch: pytest.MonkeyPatch) -> None:
    for at in range(0, 2_000, 10):
        store.append([Sample(T0 + at, LOAD, (), float(at))])
    seen = statements(monkeypatch)
    assert ask(store, LOAD, T0 + 100, T0 + 120) == [(T0 + 100, 100.0), (T0 + 110, 110.0)]
    assert len(seen) == 1
    assert ask(store, LOAD, T0 + 1_900, T0 + 1_910) == [(T0 + 1_900, 1_900.0)]
    assert len(seen) == 1


def test_a_backfill_is_not_remembered(store: DuckDBStore, monkeypatch: pytest.MonkeyPatch) -> None:
    many = tail.LARGEST_BATCH + 1
    store.append([Sample(T0 + at / 100, LOAD, (), 1.0) for at in range(many)])
    seen = statements(monkeypatch)
    assert ask(store, LOAD, T0, T0 + 10) == [(T0, 1.0)]
    assert len(seen) == 1


def test_late_samples_count(store: DuckDBStore, monkeypatch: pytest.MonkeyPatch) -> None:
    store.append([Sample(T0 + 8, LOAD, (), 8.0), Sample(T0 + 9, LOAD, (), 9.0)])
    store.append([Sample(T0 + 1, LOAD, (), 1.0)])
    seen = statements(monkeypatch)
    assert ask(store, LOAD, T0, T0 + 10) == [(T0, 6.0)]
    query = RangeQuery(selector=Selector("load"), window=Window(T0, T0 + 10), step=10.0, aggregate=Aggregate.LAST)
    assert store.read(query)[0].values.tolist() == [9.0]
    assert seen == []
