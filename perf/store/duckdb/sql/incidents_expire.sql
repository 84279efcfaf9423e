-- Question: forget incidents that were over before a moment. Parameters: cut (microseconds).
-- Minimum version: DuckDB 1.5. Source: design of the store.
DELETE FROM incidents WHERE state = 'resolved' AND resolved_at < make_timestamp($cut)
