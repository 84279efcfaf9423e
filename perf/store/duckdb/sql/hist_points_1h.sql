-- Question: distributions of hours of some series in a window: from hours, then minutes, then raw ones, as far as roll-up
--   has come.
-- Parameters: sids (ids, with their bounds first and last), start and end of the window (microseconds, half-open, whole
--   hours), minute and hour (rolled up to here, microseconds).
-- Columns: sid, ts (start of the hour), n, total, low, high, zero, h (units of the metric); several rows an hour.
-- Minimum version: DuckDB 1.5. Source: design of the store.
SELECT sid, ts, n, total, low, high, zero, h
FROM roll_1h_hist
WHERE ts >= make_timestamp($start) AND ts < make_timestamp(least($end, $hour)::BIGINT)
  AND sid BETWEEN $first AND $last AND sid IN (SELECT unnest($sids::INTEGER[]))
UNION ALL
SELECT sid, make_timestamp(epoch_us(ts) // 3600000000 * 3600000000), n, total, low, high, zero, h
FROM roll_1m_hist
WHERE ts >= make_timestamp(greatest($start, $hour)::BIGINT) AND ts < make_timestamp(least($end, $minute)::BIGINT)
  AND sid BETWEEN $first AND $last AND sid IN (SELECT unnest($sids::INTEGER[]))
UNION ALL
SELECT sid, make_timestamp(epoch_us(ts) // 3600000000 * 3600000000), n, total, low, high, zero, h
FROM hot_hist
WHERE ts >= make_timestamp(greatest($start, $minute)::BIGINT) AND ts < make_timestamp($end)
  AND sid BETWEEN $first AND $last AND sid IN (SELECT unnest($sids::INTEGER[]))
