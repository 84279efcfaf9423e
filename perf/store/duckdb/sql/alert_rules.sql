-- Question: every alert rule. Parameters: none.
-- Minimum version: DuckDB 1.5. Source: design of the store.
SELECT body FROM alert_rules
