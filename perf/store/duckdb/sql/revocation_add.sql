-- Question: note a session that ended early. Parameters: subject, since, until (microseconds).
-- Minimum version: DuckDB 1.5. Source: design of the store.
INSERT INTO revocations VALUES ($subject, make_timestamp($since), make_timestamp($until))
