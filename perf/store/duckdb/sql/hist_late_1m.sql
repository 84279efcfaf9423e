-- Question: those of the registered distributions whose minute has already been rolled up, to be merged into it.
-- Parameters: mark (rolled up to here, microseconds).
-- Columns: sid, ts (start of the minute), and those of the tables of distributions.
-- Minimum version: DuckDB 1.5. Source: design of the store.
SELECT sid, make_timestamp(epoch_us(b.ts) // 60000000 * 60000000) AS ts, n, total, low, high, zero, h, b.ts AS last_ts
FROM batch_hist AS b
WHERE b.ts < make_timestamp($mark)
