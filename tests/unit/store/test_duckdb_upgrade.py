"""A file of the first layout is brought to the newest in place, or left as it was."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from perf.clock import ManualClock
from perf.errors import StoreError
from perf.model import Histogram, HistogramSample, Kind, Metric, RangeQuery, Sample, Selector, Window
from perf.settings import StoreSettings
from perf.sqlfiles import sql
from perf.store.duckdb import DuckDBStore
from perf.store.duckdb.schema import MIGRATIONS

T0 = 1_700_006_400.0
CPU = Metric("cpu_percent", Kind.GAUGE, "%")
WAIT = Metric("wait_seconds", Kind.HISTOGRAM, "s")


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A file of version 1 with two samples, one of them sealed and rolled up."""
    path = tmp_path / "old.duckdb"
    with duckdb.connect(str(path), config={"storage_compatibility_version": "v1.5.0"}) as connection:
        connection.execute("CREATE TABLE schema_version (version INTEGER NOT NULL)")
        for statement in connection.extract_statements(sql("perf.store.duckdb", "migration_001")):
            connection.execute(statement).fetchall()
        for statement in (
            "INSERT INTO schema_version VALUES (1)",
            "INSERT INTO series VALUES (1, 'cpu_percent', 'gauge', '%', '', MAP {}, '2023-11-15')",
            "INSERT INTO samples VALUES ('2023-11-15', 1, 1)",
            "INSERT INTO roll_1m VALUES ('2023-11-15', 1, 1, 1, 1, 1, 1, '2023-11-15')",
            "INSERT INTO hot VALUES ('2023-11-15 00:01:00', 1, 3)",
            "UPDATE watermark SET ts = '2023-11-15 00:01:00' WHERE name = 'rolled_1m'",
        ):
            connection.execute(statement).fetchall()
    return path


def ask(store: DuckDBStore, metric: Metric) -> list[float]:
    query = RangeQuery(selector=Selector(metric.name), window=Window(T0, T0 + 120), step=60)
    return [value for series in store.read(query) for value in series.values.tolist()]


def test_an_old_file_keeps_its_samples_and_takes_distributions(old: Path) -> None:
    clock = ManualClock(T0 + 70)
    store = DuckDBStore(StoreSettings(path=str(old)), clock)
    assert ask(store, CPU) == [1.0, 3.0]
    store.append([Sample(T0 + 61, CPU, (), 5.0), HistogramSample(T0 + 10, WAIT, (), Histogram.of([1.0, 3.0]))])
    store.close()
    store = DuckDBStore(StoreSettings(path=str(old)), clock)
    assert (ask(store, CPU), ask(store, WAIT)) == ([1.0, 4.0], [2.0])
    assert store.sql("SELECT version FROM schema_version").rows == [(len(MIGRATIONS),)]
    store.close()


def test_a_failed_upgrade_changes_nothing(old: Path) -> None:
    with duckdb.connect(str(old)) as connection:
        connection.execute("CREATE TABLE roll_1h_hist (mine INTEGER)")
    with pytest.raises(StoreError, match="roll_1h_hist"):
        DuckDBStore(StoreSettings(path=str(old)), ManualClock(T0))
    with duckdb.connect(str(old)) as connection:
        tables = {row[0] for row in connection.execute("SELECT table_name FROM duckdb_tables()").fetchall()}
        assert "hot_hist" not in tables
        assert connection.execute("FROM schema_version").fetchall() == [(1,)]
