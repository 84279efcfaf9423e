-- Question: notifications whose time has come, of each incident and channel only the oldest that waits. Parameters: now (microseconds), count.
-- Minimum version: DuckDB 1.5. Source: design of the store.
SELECT attempts, epoch_us(next_at), body FROM (
    SELECT *, CASE WHEN incident_id = '' THEN 1
                   ELSE row_number() OVER (PARTITION BY incident_id, channel ORDER BY number) END AS place
    FROM outbox WHERE next_at IS NOT NULL AND (attempts > 0 OR next_at <= make_timestamp($now))
)
WHERE place = 1 AND next_at <= make_timestamp($now) ORDER BY number LIMIT $count
