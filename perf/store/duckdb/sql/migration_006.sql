-- Question: the sixth layout: keys of programs, sessions that ended early, the audit log.
-- body is the whole value as JSON text; the columns beside it are what questions ask. No keys: one thread writes, by id.
-- Minimum version: DuckDB 1.5 (storage v1.5.0). Source: design of the store.
CREATE TABLE api_keys (id VARCHAR NOT NULL, body VARCHAR NOT NULL);
CREATE TABLE revocations (subject VARCHAR NOT NULL, since TIMESTAMP NOT NULL, until TIMESTAMP NOT NULL);
CREATE TABLE audit (
    ts TIMESTAMP NOT NULL, who VARCHAR NOT NULL, via VARCHAR NOT NULL, address VARCHAR NOT NULL, action VARCHAR NOT NULL,
    subject VARCHAR NOT NULL, before VARCHAR NOT NULL, after VARCHAR NOT NULL
);
COMMENT ON TABLE api_keys IS 'Keys of programs, as digests';
COMMENT ON TABLE revocations IS 'Sessions that ended before their time';
COMMENT ON TABLE audit IS 'Who changed what, when and from where';
