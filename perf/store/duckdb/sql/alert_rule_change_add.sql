-- Question: note a change of an alert rule. Parameters: ts (microseconds), id, body (JSON, NULL: dropped), author.
-- Minimum version: DuckDB 1.5. Source: design of the store.
INSERT INTO alert_rule_changes VALUES (make_timestamp($ts), $id, $body, $author)
