-- Question: raw samples of some series in a window, one page. The caller appends ORDER BY, LIMIT and OFFSET.
-- Parameters: sids (ids in rank order, with their bounds first and last), start and end (microseconds, half-open).
-- Columns: ts (microseconds since 1970), sid, value (unit of the metric), rank (place of the series by name and labels).
-- Minimum version: DuckDB 1.5. Source: design of the store.
SELECT epoch_us(raw.ts) AS ts, raw.sid AS sid, raw.value AS value, chosen.rank AS rank
FROM (SELECT ts, sid, value FROM samples UNION ALL SELECT ts, sid, value FROM hot) AS raw
JOIN (SELECT unnest($sids::INTEGER[]) AS sid, generate_subscripts($sids::INTEGER[], 1) AS rank) AS chosen USING (sid)
WHERE raw.ts >= make_timestamp($start) AND raw.ts < make_timestamp($end) AND raw.sid BETWEEN $first AND $last
