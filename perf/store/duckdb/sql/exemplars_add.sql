-- Question: append the registered slow calls.
-- Minimum version: DuckDB 1.5. Source: design of the store.
INSERT INTO exemplars SELECT ts, sid, seconds, arguments, parents, trace, release, error FROM batch_slow
