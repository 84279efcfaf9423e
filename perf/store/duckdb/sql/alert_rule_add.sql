-- Question: keep an alert rule. Parameters: id, name, body (JSON).
-- Minimum version: DuckDB 1.5. Source: design of the store.
INSERT INTO alert_rules VALUES ($id, $name, $body)
