-- Question: move a mark of the upkeep. Parameters: name, ts (microseconds).
-- Minimum version: DuckDB 1.5. Source: design of the store.
UPDATE watermark SET ts = make_timestamp($ts) WHERE name = $name
