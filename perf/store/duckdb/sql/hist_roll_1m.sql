-- Question: raw distributions of some minutes, to be merged into these.
-- Parameters: start and end (microseconds, half-open, whole minutes).
-- Columns: sid, ts (start of the minute), and those of the tables of distributions.
-- Minimum version: DuckDB 1.5. Source: design of the store.
SELECT sid, make_timestamp(epoch_us(ts) // 60000000 * 60000000) AS ts, n, total, low, high, zero, h, last_ts
FROM hot_hist
WHERE ts >= make_timestamp($start) AND ts < make_timestamp($end)
