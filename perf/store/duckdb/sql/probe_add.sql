-- Question: keep what probes said. Parameters: ts (microseconds), probe, status, message, seconds: lists of one length.
-- Minimum version: DuckDB 1.5. Source: design of the store.
INSERT INTO probe_results
SELECT make_timestamp(unnest($ts::BIGINT[])), unnest($probe::VARCHAR[]), unnest($status::VARCHAR[]),
       unnest($message::VARCHAR[]), unnest($seconds::DOUBLE[])
