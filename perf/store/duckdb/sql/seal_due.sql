-- Question: how many rows of each series wait in the hot table to be sealed.
-- Parameters: cut (rows before it, microseconds).
-- Columns: sid, n.
-- Minimum version: DuckDB 1.5. Source: design of the store.
SELECT sid, count(*) AS n FROM hot WHERE ts < make_timestamp($cut) GROUP BY sid ORDER BY sid
