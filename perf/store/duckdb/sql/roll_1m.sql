-- Question: roll up the raw samples of some minutes.
-- Parameters: start and end (microseconds, half-open, whole minutes).
-- Minimum version: DuckDB 1.5. Source: design of the store.
INSERT INTO roll_1m
SELECT make_timestamp(epoch_us(ts) // 60000000 * 60000000) AS minute, sid, count(*), sum(value), min(value), max(value),
       arg_max(value, (ts, value)), max(ts)
FROM hot
WHERE ts >= make_timestamp($start) AND ts < make_timestamp($end)
GROUP BY minute, sid
ORDER BY sid, minute
