-- Question: the fifth layout: what probes said. A row comes with each change of state, and once a minute.
-- Minimum version: DuckDB 1.5 (storage v1.5.0). Source: design of the store.
CREATE TABLE probe_results (
    ts TIMESTAMP NOT NULL, probe VARCHAR NOT NULL, status VARCHAR NOT NULL, message VARCHAR NOT NULL, seconds DOUBLE NOT NULL
);
COMMENT ON TABLE probe_results IS 'What probes said, on change and once a minute';
CREATE VIEW perf.probe_results AS SELECT ts, probe, status, message, seconds FROM main.probe_results;
COMMENT ON VIEW perf.probe_results IS 'What probes said, on change and once a minute';
COMMENT ON COLUMN perf.probe_results.ts IS 'When it held, UTC';
COMMENT ON COLUMN perf.probe_results.probe IS 'Name of the probe';
COMMENT ON COLUMN perf.probe_results.status IS 'healthy, unknown, degraded or unhealthy';
COMMENT ON COLUMN perf.probe_results.message IS 'What it said';
COMMENT ON COLUMN perf.probe_results.seconds IS 'How long it took';
