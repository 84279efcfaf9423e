-- Question: one page of the attempts to deliver in a span, and how many there are. Parameters: start, end (microseconds), count, skip.
-- Minimum version: DuckDB 1.5. Source: design of the store.
SELECT epoch_us(ts), notification_id, channel, attempt, outcome, detail, seconds, count(*) OVER () AS total FROM deliveries
WHERE ts >= make_timestamp($start) AND ts < make_timestamp($end)
ORDER BY ts DESC, notification_id, attempt DESC LIMIT $count OFFSET $skip
