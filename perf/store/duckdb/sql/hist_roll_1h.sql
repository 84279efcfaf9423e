-- Question: distributions of the minutes of some hours, to be merged into these.
-- Parameters: start and end (microseconds, half-open, whole hours).
-- Columns: sid, ts (start of the hour), and those of the tables of distributions.
-- Minimum version: DuckDB 1.5. Source: design of the store.
SELECT sid, make_timestamp(epoch_us(ts) // 3600000000 * 3600000000) AS ts, n, total, low, high, zero, h, last_ts
FROM roll_1m_hist
WHERE ts >= make_timestamp($start) AND ts < make_timestamp($end)
