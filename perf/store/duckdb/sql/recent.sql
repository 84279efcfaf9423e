-- Question: the newest sample of each series among those of the last minutes in the hot table.
-- Parameters: seconds (how far before the newest sample to look).
-- Columns: sid, ts (microseconds since 1970), value.
-- Minimum version: DuckDB 1.5. Source: design of the store.
SELECT sid, epoch_us(max(ts)) AS ts, arg_max(value, (ts, value)) AS value
FROM hot
WHERE ts >= (SELECT max(ts) FROM hot) - to_seconds($seconds)
GROUP BY sid
ORDER BY ts
