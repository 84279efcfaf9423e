-- Question: every silence. Parameters: none.
-- Minimum version: DuckDB 1.5. Source: design of the store.
SELECT body FROM silences
