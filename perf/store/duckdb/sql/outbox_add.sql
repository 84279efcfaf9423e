-- Question: queue a notification, unless one of its id is there. Parameters: id, incident_id, channel, next_at (microseconds), body (JSON).
-- Minimum version: DuckDB 1.5. Source: design of the store.
INSERT INTO outbox
SELECT (SELECT coalesce(max(number), 0) + 1 FROM outbox), $id, $incident_id, $channel, 0, make_timestamp($next_at), $body
WHERE NOT EXISTS (FROM outbox WHERE id = $id)
