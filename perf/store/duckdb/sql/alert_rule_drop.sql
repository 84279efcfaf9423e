-- Question: forget an alert rule. Parameters: id.
-- Minimum version: DuckDB 1.5. Source: design of the store.
DELETE FROM alert_rules WHERE id = $id
