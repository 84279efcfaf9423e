-- Question: forget what probes said before a moment. Parameters: cut (microseconds).
-- Minimum version: DuckDB 1.5. Source: design of the store.
DELETE FROM probe_results WHERE ts < make_timestamp($cut)
