-- Question: make room for a new version of a key. Parameters: id.
-- Minimum version: DuckDB 1.5. Source: design of the store.
DELETE FROM api_keys WHERE id = $id
