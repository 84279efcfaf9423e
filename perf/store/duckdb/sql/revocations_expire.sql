-- Question: forget revocations of sessions that would be over by themselves. Parameters: now (microseconds).
-- Minimum version: DuckDB 1.5. Source: design of the store.
DELETE FROM revocations WHERE until < make_timestamp($now)
