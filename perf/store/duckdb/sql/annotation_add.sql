-- Question: record a deploy or a note. Parameters: ts (microseconds), kind, title, service, text.
-- Minimum version: DuckDB 1.5. Source: design of the store.
INSERT INTO annotations VALUES (make_timestamp($ts), $kind, $title, $service, $text)
