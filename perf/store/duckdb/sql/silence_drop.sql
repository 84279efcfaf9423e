-- Question: forget a silence. Parameters: id.
-- Minimum version: DuckDB 1.5. Source: design of the store.
DELETE FROM silences WHERE id = $id
