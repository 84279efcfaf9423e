-- Question: append the registered distributions to their hot table.
-- Minimum version: DuckDB 1.5. Source: design of the store.
INSERT INTO hot_hist SELECT ts, sid, n, total, low, high, zero, h, ts FROM batch_hist
