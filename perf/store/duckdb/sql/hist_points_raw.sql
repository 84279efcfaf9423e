-- Question: raw distributions of some series in a window.
-- Parameters: sids (ids, with their bounds first and last), start and end of the window (microseconds, half-open).
-- Columns: sid, ts, n, total, low, high, zero, h (units of the metric).
-- Minimum version: DuckDB 1.5. Source: design of the store.
SELECT sid, ts, n, total, low, high, zero, h
FROM (SELECT * FROM hist UNION ALL SELECT * FROM hot_hist)
WHERE ts >= make_timestamp($start) AND ts < make_timestamp($end)
  AND sid BETWEEN $first AND $last AND sid IN (SELECT unnest($sids::INTEGER[]))
