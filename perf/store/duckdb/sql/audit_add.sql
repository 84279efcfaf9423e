-- Question: note who did what. Parameters: ts (microseconds), who, via, address, action, subject, before, after.
-- Minimum version: DuckDB 1.5. Source: design of the store.
INSERT INTO audit VALUES (make_timestamp($ts), $who, $via, $address, $action, $subject, $before, $after)
