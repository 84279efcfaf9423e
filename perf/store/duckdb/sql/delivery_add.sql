-- Question: note an attempt to deliver. Parameters: ts (microseconds), notification_id, channel, attempt, outcome, detail, seconds.
-- Minimum version: DuckDB 1.5. Source: design of the store.
INSERT INTO deliveries VALUES (make_timestamp($ts), $notification_id, $channel, $attempt, $outcome, $detail, $seconds)
