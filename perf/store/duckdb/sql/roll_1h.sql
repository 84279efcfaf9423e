-- Question: roll up the minutes of some hours.
-- Parameters: start and end (microseconds, half-open, whole hours).
-- Minimum version: DuckDB 1.5. Source: design of the store.
INSERT INTO roll_1h
SELECT make_timestamp(epoch_us(ts) // 3600000000 * 3600000000) AS hour, sid, sum(n), sum(total), min(low), max(high),
       arg_max(last, (last_ts, last)), max(last_ts)
FROM roll_1m
WHERE ts >= make_timestamp($start) AND ts < make_timestamp($end)
GROUP BY hour, sid
ORDER BY sid, hour
