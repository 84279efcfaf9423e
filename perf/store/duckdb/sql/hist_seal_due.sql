-- Question: which series have distributions in the hot table that wait to be sealed, how many rows each; in order to seal.
-- Parameters: cut (rows before it, microseconds).
-- Columns: sid, n.
-- Minimum version: DuckDB 1.5. Source: design of the store.
SELECT sid, count(*) AS n FROM hot_hist WHERE ts < make_timestamp($cut) GROUP BY sid ORDER BY sid
