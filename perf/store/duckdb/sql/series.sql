-- Question: the dictionary of series, by id.
-- Columns: sid, metric, kind, unit, help, labels, first_seen (microseconds since 1970).
-- Minimum version: DuckDB 1.5. Source: design of the store.
SELECT sid, metric, kind, unit, help, labels, epoch_us(first_seen) AS first_seen FROM series ORDER BY sid
