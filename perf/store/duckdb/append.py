"""Writes a batch of samples in one transaction: new series, raw rows, and the roll-ups that are past their closing."""

from __future__ import annotations

import pyarrow as pa

from perf.sqlfiles import sql
from perf.store.catalog import Batch, Entry
from perf.store.duckdb.connection import Cursor, Database, run
from perf.store.duckdb.marks import Marks

_PACKAGE = "perf.store.duckdb"


def append(database: Database, batch: Batch, marks: Marks) -> None:
    """Commit *batch*; a late sample is counted at once at the levels that have passed it.

    Measured per commit of 200 / 2,000 rows: Arrow registered by name 1.4 / 1.7 ms, numpy columns 1.6 / 2.2 ms.

    Raises: StoreFull (nothing written), Invalidated (perhaps written), StoreError.
    """
    times = pa.array(batch.ts.view("datetime64[us]"))
    columns = pa.Table.from_arrays([times, pa.array(batch.sids), pa.array(batch.values)], names=["ts", "sid", "value"])
    earliest = int(batch.ts.min())
    with database.transaction() as writer:
        if batch.new:
            _add_series(writer, batch.new)
        # After a failure the name stays until the next batch takes it: nothing can be unregistered in an aborted
        # transaction, and the attempt would hide why it was aborted.
        writer.register("batch", columns)
        run(writer, sql(_PACKAGE, "batch_add"))
        for name, mark in (("late_1m", marks.rolled_minute), ("late_1h", marks.rolled_hour)):
            if earliest < mark:
                run(writer, sql(_PACKAGE, name), {"mark": mark})
        writer.unregister("batch")


def _add_series(writer: Cursor, new: list[Entry]) -> None:
    run(
        writer,
        sql(_PACKAGE, "series_add"),
        {
            "sids": [entry.sid for entry in new],
            "metrics": [entry.metric.name for entry in new],
            "kinds": [entry.metric.kind.value for entry in new],
            "units": [entry.metric.unit for entry in new],
            "helps": [entry.metric.help for entry in new],
            "names": [[name for name, _ in entry.labels] for entry in new],
            "texts": [[text for _, text in entry.labels] for entry in new],
            "first_seen": [entry.first_seen for entry in new],
        },
    )
