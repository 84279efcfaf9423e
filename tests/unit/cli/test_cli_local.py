"""The store's own file as an answerer; its answers look like those of an owner."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from perf.cli.local import LocalData
from perf.cli.questions import ExportRequest
from perf.clock import ManualClock
from perf.errors import QueryError
from perf.model import Kind, Metric, Sample
from perf.settings import StoreSettings
from perf.store.duckdb import DuckDBStore

NOW = 1_700_000_000.0
CPU = Metric("cpu_usage_percent", Kind.GAUGE, "%")


@pytest.fixture
def data(tmp_path: Path) -> Iterator[LocalData]:
    clock = ManualClock(NOW)
    store = DuckDBStore(StoreSettings(path=str(tmp_path / "perf.duckdb"), free_space_floor=0), clock)
    store.append([Sample(NOW - 20 + n, CPU, (("host", "=a"),), float(n)) for n in range(20)])
    yield LocalData(store, clock)
    store.close()


def text(data: LocalData, **wanted: object) -> list[str]:
    request = {"queries": ("cpu_usage_percent",), "start": "now-20s", "end": "now", **wanted}
    return b"".join(data.export(msgspec.convert(request, ExportRequest))).decode().splitlines()


def test_steps_are_averages(data: LocalData) -> None:
    assert text(data, step="10s") == [
        "time (UTC),unix_seconds,metric,labels,value,unit",
        "2023-11-14T22:13:00.000+00:00,1699999980.000,cpu_usage_percent,host==a,4.5,%",
        "2023-11-14T22:13:10.000+00:00,1699999990.000,cpu_usage_percent,host==a,14.5,%",
    ]


def test_raw_samples_end_before_the_end(data: LocalData) -> None:
    lines = text(data, raw=True, form="json", end="1699999982")
    assert [msgspec.json.decode(line)["value"] for line in lines] == [0.0, 1.0]


def test_raw_without_a_query_is_every_series(data: LocalData) -> None:
    assert len(text(data, raw=True, form="json", queries=())) == 20


def test_raw_of_an_unknown_series_is_nothing_and_not_everything(data: LocalData) -> None:
    assert text(data, raw=True, form="json", queries=("unknown",)) == []


@pytest.mark.parametrize("wrong", [{"start": "soon"}, {"step": "0"}, {"zone": "Mars"}, {"queries": ("rate(",)}])
def test_what_can_not_be_understood_is_a_query_error(data: LocalData, wrong: dict[str, object]) -> None:
    with pytest.raises(QueryError):
        text(data, **wrong)


def test_sql_values_look_as_an_owner_would_send_them(data: LocalData) -> None:
    result = data.sql("SELECT 1 AS n, DATE '2026-01-02' AS day, 1.50::DECIMAL(4, 2) AS price, NULL AS none", max_rows=5)
    assert (result.columns, result.rows) == (("n", "day", "price", "none"), [(1, "2026-01-02", "1.50", None)])


def test_sql_that_writes_is_refused(data: LocalData) -> None:
    with pytest.raises(QueryError):
        data.sql("DELETE FROM hot", max_rows=5)
