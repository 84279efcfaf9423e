-- Question: keep a key. Parameters: id, body (JSON).
-- Minimum version: DuckDB 1.5. Source: design of the store.
INSERT INTO api_keys VALUES ($id, $body)
