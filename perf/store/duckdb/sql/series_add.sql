-- Question: add series to the dictionary. Parameters: the columns, each as a list; labels as two lists of lists.
-- Minimum version: DuckDB 1.5. Source: design of the store.
INSERT INTO series
SELECT sid, metric, kind, unit, help, map(names, texts), make_timestamp(first_seen)
FROM (
    SELECT unnest($sids::INTEGER[]) AS sid, unnest($metrics::VARCHAR[]) AS metric, unnest($kinds::VARCHAR[]) AS kind,
           unnest($units::VARCHAR[]) AS unit, unnest($helps::VARCHAR[]) AS help,
           unnest($names::VARCHAR[][]) AS names, unnest($texts::VARCHAR[][]) AS texts,
           unnest($first_seen::BIGINT[]) AS first_seen
)
