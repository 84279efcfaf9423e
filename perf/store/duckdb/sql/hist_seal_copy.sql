-- Question: copy hot distributions of some series into a sorted run.
-- Parameters: cut (rows before it, microseconds), sids (ids).
-- Minimum version: DuckDB 1.5. Source: design of the store.
INSERT INTO hist
SELECT * FROM hot_hist
WHERE ts < make_timestamp($cut) AND sid IN (SELECT unnest($sids::INTEGER[]))
ORDER BY sid, ts
