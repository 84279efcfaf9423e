-- Question: raw samples of some series in a window, in the shape of roll-up rows.
-- Parameters: sids (ids, with their bounds first and last), start and end of the window (microseconds, half-open).
-- Columns: sid, ts, n, total, low, high, last (units of the metric), last_ts.
-- Minimum version: DuckDB 1.5. Source: design of the store.
SELECT sid, ts, 1 AS n, value AS total, value AS low, value AS high, value AS last, ts AS last_ts
FROM (SELECT ts, sid, value FROM samples UNION ALL SELECT ts, sid, value FROM hot)
WHERE ts >= make_timestamp($start) AND ts < make_timestamp($end)
  AND sid BETWEEN $first AND $last AND sid IN (SELECT unnest($sids::INTEGER[]))
