-- Question: make room for new versions of incidents. Parameters: ids.
-- Minimum version: DuckDB 1.5. Source: design of the store.
DELETE FROM incidents WHERE id IN (SELECT unnest($ids::VARCHAR[]))
