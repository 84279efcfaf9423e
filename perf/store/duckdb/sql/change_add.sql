-- Question: record a changed setting. Parameters: id, ts (microseconds), path, value (JSON or NULL), author.
-- Minimum version: DuckDB 1.5. Source: design of the store.
INSERT INTO setting_changes VALUES ($id, make_timestamp($ts), $path, $value, $author)
