-- Question: when the first notification that waits may be sent (microseconds); NULL: none waits. Parameters: none.
-- Minimum version: DuckDB 1.5. Source: design of the store.
SELECT epoch_us(min(next_at)) FROM outbox WHERE next_at IS NOT NULL
