-- Question: how many attempts to deliver in a span had which outcome. Parameters: start, end (microseconds).
-- Columns: channel, outcome, count.
-- Minimum version: DuckDB 1.5. Source: design of the store.
SELECT channel, outcome, count(*) FROM deliveries
WHERE ts >= make_timestamp($start) AND ts < make_timestamp($end)
GROUP BY channel, outcome ORDER BY channel, outcome
