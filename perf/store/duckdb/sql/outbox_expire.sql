-- Question: forget notifications that are done, and of which neither the incident nor an attempt is kept. Parameters: none.
-- Minimum version: DuckDB 1.5. Source: design of the store.
DELETE FROM outbox
WHERE next_at IS NULL AND incident_id NOT IN (SELECT id FROM incidents)
  AND id NOT IN (SELECT notification_id FROM deliveries)
