-- Question: the newest sample of each series (without a value for distributions), as far as a month back: from hours, then minutes, then raw samples, as far
--   as roll-up has come.
-- Columns: sid, ts (microseconds since 1970), value (unit of the metric, or NULL); by time.
-- Minimum version: DuckDB 1.5. Source: design of the store.
SELECT sid, epoch_us(max(last_ts)) AS ts, arg_max(last, (last_ts, last)) AS value
FROM (
    SELECT sid, last, last_ts FROM roll_1h WHERE ts >= (SELECT max(ts) FROM roll_1h) - INTERVAL 31 DAYS
    UNION ALL
    SELECT sid, last, last_ts FROM roll_1m WHERE ts >= (SELECT ts FROM watermark WHERE name = 'rolled_1h')
    UNION ALL
    SELECT sid, value, ts FROM hot WHERE ts >= (SELECT ts FROM watermark WHERE name = 'rolled_1m')
    UNION ALL
    SELECT sid, NULL, last_ts FROM roll_1h_hist WHERE ts >= (SELECT max(ts) FROM roll_1h_hist) - INTERVAL 31 DAYS
    UNION ALL
    SELECT sid, NULL, last_ts FROM roll_1m_hist WHERE ts >= (SELECT ts FROM watermark WHERE name = 'rolled_1h')
    UNION ALL
    SELECT sid, NULL, ts FROM hot_hist WHERE ts >= (SELECT ts FROM watermark WHERE name = 'rolled_1m')
)
GROUP BY sid
ORDER BY ts
