-- Question: roll up those samples of the registered batch whose minute has already been rolled up.
-- Parameters: mark (rolled up to here, microseconds).
-- Minimum version: DuckDB 1.5. Source: design of the store.
INSERT INTO roll_1m
SELECT make_timestamp(epoch_us(ts) // 60000000 * 60000000) AS ts, sid, count(*), sum(value), min(value), max(value),
       arg_max(value, (ts, value)), max(ts)
FROM batch AS b
WHERE ts < make_timestamp($mark)
GROUP BY make_timestamp(epoch_us(ts) // 60000000 * 60000000), sid
