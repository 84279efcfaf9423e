-- Question: copy hot rows of some series into a sorted run.
-- Parameters: cut (rows before it, microseconds), sids (ids in the order to seal).
-- Minimum version: DuckDB 1.5. Source: design of the store.
INSERT INTO samples
SELECT hot.ts, hot.sid, hot.value
FROM hot
JOIN (SELECT unnest($sids::INTEGER[]) AS sid, generate_subscripts($sids::INTEGER[], 1) AS place) AS chosen USING (sid)
WHERE hot.ts < make_timestamp($cut)
ORDER BY chosen.place, hot.ts
