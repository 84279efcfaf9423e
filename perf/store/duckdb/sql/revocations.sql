-- Question: the sessions that ended early. Columns: subject, since, until (microseconds since 1970).
-- Minimum version: DuckDB 1.5. Source: design of the store.
SELECT subject, epoch_us(since) AS since, epoch_us(until) AS until FROM revocations
