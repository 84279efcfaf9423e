-- Question: keep an incident. Parameters: its columns; times in microseconds, body (JSON).
-- Minimum version: DuckDB 1.5. Source: design of the store.
INSERT INTO incidents VALUES (
    $id, $rule_id, map_from_entries($labels::STRUCT(k VARCHAR, v VARCHAR)[]), $state, $severity, make_timestamp($since),
    make_timestamp($fired_at), make_timestamp($resolved_at), $value, $summary, $acknowledged_by, $body
)
