-- Question: deploys and notes of a window, the oldest first. Parameters: start and end (microseconds, half-open).
-- Columns: ts (microseconds since 1970), kind, title, service, text.
-- Minimum version: DuckDB 1.5. Source: design of the store.
SELECT epoch_us(ts) AS ts, kind, title, service, text
FROM annotations AS noted
WHERE noted.ts >= make_timestamp($start) AND noted.ts < make_timestamp($end)
ORDER BY noted.ts, service, kind, title, text
