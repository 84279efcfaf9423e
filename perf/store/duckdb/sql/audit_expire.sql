-- Question: forget old entries of the audit log. Parameters: cut (microseconds).
-- Minimum version: DuckDB 1.5. Source: design of the store.
DELETE FROM audit WHERE ts < make_timestamp($cut)
