-- Question: every key of a program. Columns: body (JSON).
-- Minimum version: DuckDB 1.5. Source: design of the store.
SELECT body FROM api_keys
