-- Question: incidents that are open, or ended since a moment. Parameters: since (microseconds).
-- Minimum version: DuckDB 1.5. Source: design of the store.
SELECT body FROM incidents
WHERE state <> 'resolved' OR resolved_at >= make_timestamp($since)
ORDER BY since, id
