-- Question: make room for a new version of a revocation. Parameters: subject.
-- Minimum version: DuckDB 1.5. Source: design of the store.
DELETE FROM revocations WHERE subject = $subject
