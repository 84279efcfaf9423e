-- Question: the third layout: which batches of other processes are stored, slow calls, deploys and notes, and their views.
-- Minimum version: DuckDB 1.5 (storage v1.5.0). Source: design of the store.
CREATE TABLE producer_seq (producer VARCHAR NOT NULL, seq BIGINT NOT NULL, seen TIMESTAMP NOT NULL);
CREATE TABLE exemplars (
    ts TIMESTAMP NOT NULL, sid INTEGER NOT NULL, seconds DOUBLE NOT NULL, arguments VARCHAR[] NOT NULL,
    parents VARCHAR[] NOT NULL, trace VARCHAR NOT NULL, release VARCHAR NOT NULL, error VARCHAR NOT NULL
);
CREATE TABLE annotations (
    ts TIMESTAMP NOT NULL, kind VARCHAR NOT NULL, title VARCHAR NOT NULL, service VARCHAR NOT NULL, text VARCHAR NOT NULL
);
COMMENT ON TABLE producer_seq IS 'Highest batch of each sender, so that a batch sent twice is stored once';
COMMENT ON TABLE exemplars IS 'Slowest calls of each series and minute, kept as long as raw samples';
COMMENT ON TABLE annotations IS 'Deploys and notes, kept as long as hours';
CREATE VIEW perf.exemplars AS
SELECT slow.ts, series.metric, series.labels, slow.seconds, slow.arguments, slow.parents, slow.trace, slow.release, slow.error
FROM main.exemplars AS slow JOIN series USING (sid);
COMMENT ON VIEW perf.exemplars IS 'Slowest calls of each series and minute';
COMMENT ON COLUMN perf.exemplars.ts IS 'End of the call, UTC';
COMMENT ON COLUMN perf.exemplars.metric IS 'Name of the distribution that the call is one observation of';
COMMENT ON COLUMN perf.exemplars.labels IS 'What sets the series of a metric apart';
COMMENT ON COLUMN perf.exemplars.seconds IS 'How long the call took';
COMMENT ON COLUMN perf.exemplars.arguments IS 'Types and lengths of the arguments, values only where that is allowed';
COMMENT ON COLUMN perf.exemplars.parents IS 'Callers, the nearest first';
COMMENT ON COLUMN perf.exemplars.trace IS 'Trace id, or nothing';
COMMENT ON COLUMN perf.exemplars.release IS 'Release that ran, or nothing';
COMMENT ON COLUMN perf.exemplars.error IS 'Type of the exception that ended the call, or nothing';
CREATE VIEW perf.deploys AS
SELECT ts, service, title AS release, text FROM annotations WHERE kind = 'deploy';
COMMENT ON VIEW perf.deploys IS 'Deploys, as noticed or announced';
COMMENT ON COLUMN perf.deploys.ts IS 'Time of the deploy, UTC';
COMMENT ON COLUMN perf.deploys.service IS 'What was deployed, or nothing for all';
COMMENT ON COLUMN perf.deploys.release IS 'Release that ran from then on';
COMMENT ON COLUMN perf.deploys.text IS 'What was said about it, or nothing';
