-- Question: the settings in force that were changed at run time, and the newest id.
-- Columns: path, value (JSON or NULL), id.
-- Minimum version: DuckDB 1.5. Source: design of the store.
SELECT path, arg_max_null(value, id) AS value, max(id) AS id FROM setting_changes GROUP BY path
