-- Question: what waits, by channel. Parameters: now (microseconds).
-- Columns: channel, count, body (of the first that was queued of those whose time has come; NULL: no time has come).
-- Minimum version: DuckDB 1.5. Source: design of the store.
SELECT channel, count(*), arg_min(body, number) FILTER (WHERE attempts > 0 OR next_at <= make_timestamp($now))
FROM outbox WHERE next_at IS NOT NULL GROUP BY channel ORDER BY channel
