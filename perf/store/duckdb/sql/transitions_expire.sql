-- Question: forget how incidents changed before a moment that are gone. Parameters: cut (microseconds).
-- Minimum version: DuckDB 1.5. Source: design of the store.
DELETE FROM transitions WHERE ts < make_timestamp($cut) AND incident_id NOT IN (SELECT id FROM incidents)
