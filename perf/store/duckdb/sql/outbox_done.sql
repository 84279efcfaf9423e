-- Question: note that a notification was tried. Parameters: id, attempt, next_at (microseconds; NULL: it is done).
-- Minimum version: DuckDB 1.5. Source: design of the store.
UPDATE outbox SET attempts = $attempt, next_at = make_timestamp($next_at) WHERE id = $id
