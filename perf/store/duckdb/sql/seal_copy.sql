-- Question: copy hot rows of a range of series into a sorted run.
-- Parameters: cut (rows before it, microseconds), first and last (ids).
-- Minimum version: DuckDB 1.5. Source: design of the store.
INSERT INTO samples
SELECT ts, sid, value FROM hot WHERE ts < make_timestamp($cut) AND sid BETWEEN $first AND $last ORDER BY sid, ts
