-- Question: distributions of minutes of some series in a window: rolled up as far as that has come, the rest from raw ones.
-- Parameters: sids (ids, with their bounds first and last), start and end of the window (microseconds, half-open, whole
--   minutes), minute (rolled up to here, microseconds).
-- Columns: sid, ts (start of the minute), n, total, low, high, zero, h (units of the metric); several rows a minute.
-- Minimum version: DuckDB 1.5. Source: design of the store.
SELECT sid, ts, n, total, low, high, zero, h
FROM roll_1m_hist
WHERE ts >= make_timestamp($start) AND ts < make_timestamp(least($end, $minute)::BIGINT)
  AND sid BETWEEN $first AND $last AND sid IN (SELECT unnest($sids::INTEGER[]))
UNION ALL
SELECT sid, make_timestamp(epoch_us(ts) // 60000000 * 60000000), n, total, low, high, zero, h
FROM hot_hist
WHERE ts >= make_timestamp(greatest($start, $minute)::BIGINT) AND ts < make_timestamp($end)
  AND sid BETWEEN $first AND $last AND sid IN (SELECT unnest($sids::INTEGER[]))
