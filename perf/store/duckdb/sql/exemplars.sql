-- Question: the slowest calls of some series in a window, the slowest first; of equals the newest, then by id.
-- Parameters: sids (ids), start and end of the window (microseconds, half-open), limit (rows).
-- Columns: ts (end of the call, microseconds since 1970), sid, seconds, arguments and parents (lists), trace, release, error.
-- Minimum version: DuckDB 1.5. Source: design of the store.
SELECT epoch_us(ts) AS ts, sid, seconds, arguments, parents, trace, release, error
FROM exemplars AS slow
WHERE slow.ts >= make_timestamp($start) AND slow.ts < make_timestamp($end)
  AND sid IN (SELECT unnest($sids::INTEGER[]))
ORDER BY seconds DESC, slow.ts DESC, sid
LIMIT $limit
