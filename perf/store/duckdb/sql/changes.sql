-- Question: the newest changed settings. Parameters: limit (rows).
-- Columns: ts (microseconds since 1970), path, value (JSON or NULL), author.
-- Minimum version: DuckDB 1.5. Source: design of the store.
SELECT epoch_us(ts) AS ts, path, value, author FROM setting_changes ORDER BY id DESC LIMIT $limit
