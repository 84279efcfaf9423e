-- Question: how many raw samples some series have in a window, no further than a cap.
-- Parameters: sids (ids, with their bounds first and last), start and end (microseconds, half-open), cap (rows).
-- Columns: n.
-- Minimum version: DuckDB 1.5. Source: design of the store.
SELECT count(*) AS n
FROM (
    SELECT 1
    FROM (SELECT ts, sid FROM samples UNION ALL SELECT ts, sid FROM hot)
    WHERE ts >= make_timestamp($start) AND ts < make_timestamp($end)
      AND sid BETWEEN $first AND $last AND sid IN (SELECT unnest($sids::INTEGER[]))
    LIMIT $cap
)
