-- Question: forget attempts before a moment whose notification does not wait any more. Parameters: cut (microseconds).
-- Minimum version: DuckDB 1.5. Source: design of the store.
DELETE FROM deliveries
WHERE ts < make_timestamp($cut) AND notification_id NOT IN (SELECT id FROM outbox WHERE next_at IS NOT NULL)
