-- Question: note how an incident changed. Parameters: ts (microseconds), incident_id, before, after, value, reason.
-- Minimum version: DuckDB 1.5. Source: design of the store.
INSERT INTO transitions
SELECT make_timestamp($ts), $incident_id, $before, $after, $value, $reason
WHERE NOT EXISTS (
    FROM transitions WHERE ts = make_timestamp($ts) AND incident_id = $incident_id AND after = $after AND reason = $reason
)
