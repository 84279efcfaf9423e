-- Question: an alert rule as it was last, be it dropped by now. Parameters: id.
-- Minimum version: DuckDB 1.5. Source: design of the store.
SELECT body FROM alert_rule_changes WHERE id = $id AND body IS NOT NULL ORDER BY ts DESC, rowid DESC LIMIT 1
