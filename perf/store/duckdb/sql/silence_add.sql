-- Question: keep a silence. Parameters: id, body (JSON).
-- Minimum version: DuckDB 1.5. Source: design of the store.
INSERT INTO silences VALUES ($id, $body)
