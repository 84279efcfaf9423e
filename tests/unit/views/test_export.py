"""Whole answers in pieces: every row once, in the order of time."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perf.clock import ManualClock
from perf.errors import QueryError
from perf.model import Metric, Rows, RowsQuery, Sample, Selector, Window
from perf.settings import StoreSettings
from perf.store.memory import MemoryStore
from perf.views import export
from perf.views.export import Record

NOW = 1_700_000_000.0
DEPTH = Metric("queue_depth", unit="1")


def filled(times: list[float]) -> MemoryStore:
    store = MemoryStore(StoreSettings(), ManualClock())
    store.append([Sample(NOW + at, DEPTH, (), float(number)) for number, at in enumerate(times)])
    return store


@settings(max_examples=60, deadline=None)
@given(
    bursts=st.lists(st.tuples(st.floats(0, 900), st.integers(1, 60)), max_size=8),
    span=st.floats(1, 1_000),
)
def test_every_row_comes_once_and_in_order(bursts: list[tuple[float, int]], span: float) -> None:
    times = sorted(round(start + number * 0.001, 3) for start, count in bursts for number in range(count))
    store = filled(times)
    window = Window(NOW, NOW + span)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(export, "PIECE", 25)
        pieces = list(export.raw(store, [], window))
    expected = {n: at for n, at in enumerate(times) if round((NOW + at) * 1e6) < round(window.end * 1e6)}
    found = [(int(record.value), round(record.ts - NOW, 3)) for piece in pieces for record in piece]
    assert len(found) == len(expected)
    assert dict(found) == expected
    assert all(0 < len(piece) < 25 for piece in pieces)
    flat = [record.ts for piece in pieces for record in piece]
    assert flat == sorted(flat)


class Counting(MemoryStore):
    """Remembers the windows it was asked for."""

    asked: list[Window]

    def rows(self, query: RowsQuery) -> Rows:
        self.asked = [*getattr(self, "asked", []), query.window]
        return super().rows(query)


def test_an_empty_year_is_asked_for_once() -> None:
    store = Counting(StoreSettings(), ManualClock())
    assert list(export.raw(store, [], Window(NOW, NOW + 31_536_000))) == []
    assert store.asked == [Window(NOW, NOW + 31_536_000)]


def test_the_pieces_of_a_window_meet_without_overlap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export, "PIECE", 10)
    store = Counting(StoreSettings(), ManualClock())
    store.append([Sample(NOW + n, DEPTH, (), 0.0) for n in range(100)])
    pieces = list(export.raw(store, [], Window(NOW, NOW + 100)))
    assert [record.ts for piece in pieces for record in piece] == [NOW + n for n in range(100)]


def test_more_rows_at_one_moment_than_fit_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export, "PIECE", 10)
    store = filled([])
    store.append([Sample(NOW, DEPTH, (("n", str(n)),), 0.0) for n in range(11)])
    with pytest.raises(QueryError, match="more than 10 samples within"):
        list(export.raw(store, [Selector("queue_depth")], Window(NOW, NOW + 100)))


def test_a_value_without_number_is_null_in_json() -> None:
    records = iter([[Record(NOW, "x", (), float("inf"), "")]])
    line = b"".join(export.encoded(records, export.Format.JSON))
    assert line == b'{"ts":"2023-11-14T22:13:20Z","metric":"x","labels":{},"value":null,"unit":""}\n'


@pytest.mark.parametrize("name", ["", "Mars", "../etc/passwd", "\0", "America", "x" * 5_000])
def test_what_is_no_zone_is_refused(name: str) -> None:
    with pytest.raises(QueryError, match="no time zone"):
        export.zone_named(name)


@pytest.mark.parametrize(("text", "shown"), [("=1", "'=1"), ("@x", "'@x"), ("a=1", "a=1"), ("", ""), ("5", "5")])
def test_a_cell_that_a_spreadsheet_would_run_is_quoted(text: str, shown: str) -> None:
    assert export.safe_cell(text) == shown
