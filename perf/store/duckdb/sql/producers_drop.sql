-- Question: forget senders. Parameters: producers (list).
-- Minimum version: DuckDB 1.5. Source: design of the store.
DELETE FROM producer_seq WHERE producer IN (SELECT unnest($producers::VARCHAR[]))
