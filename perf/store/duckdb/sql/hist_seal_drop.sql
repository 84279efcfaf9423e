-- Question: remove the hot distributions that have been sealed.
-- Parameters: cut (rows before it, microseconds), sids (ids).
-- Minimum version: DuckDB 1.5. Source: design of the store.
DELETE FROM hot_hist WHERE ts < make_timestamp($cut) AND sid IN (SELECT unnest($sids::INTEGER[]))
