-- Question: how far the upkeep has come.
-- Columns: name, ts (microseconds since 1970).
-- Minimum version: DuckDB 1.5. Source: design of the store.
SELECT name, epoch_us(ts) AS ts FROM watermark
