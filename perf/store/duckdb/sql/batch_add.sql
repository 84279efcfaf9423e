-- Question: append the registered batch to the hot table.
-- Minimum version: DuckDB 1.5. Source: design of the store.
INSERT INTO hot SELECT ts, sid, value FROM batch
