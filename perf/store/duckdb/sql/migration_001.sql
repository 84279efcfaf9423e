-- Question: the first layout: series dictionary, raw samples (hot in arrival order, sealed in sorted runs), roll-ups,
--   marks of the upkeep, settings changed at run time, and the documented views of schema perf.
-- Times are UTC (microseconds). Big tables have no key and no index: a key costs 68 bytes a sample instead of 5.
-- Minimum version: DuckDB 1.5 (storage v1.5.0). Source: design of the store.
CREATE TABLE series (
    sid INTEGER NOT NULL, metric VARCHAR NOT NULL, kind VARCHAR NOT NULL, unit VARCHAR NOT NULL, help VARCHAR NOT NULL,
    labels MAP(VARCHAR, VARCHAR) NOT NULL, first_seen TIMESTAMP NOT NULL
);
CREATE TABLE hot (ts TIMESTAMP NOT NULL, sid INTEGER NOT NULL, value DOUBLE NOT NULL);
CREATE TABLE samples (ts TIMESTAMP NOT NULL, sid INTEGER NOT NULL, value DOUBLE NOT NULL);
CREATE TABLE roll_1m (
    ts TIMESTAMP NOT NULL, sid INTEGER NOT NULL, n BIGINT NOT NULL, total DOUBLE NOT NULL,
    low DOUBLE NOT NULL, high DOUBLE NOT NULL, last DOUBLE NOT NULL, last_ts TIMESTAMP NOT NULL
);
CREATE TABLE roll_1h (
    ts TIMESTAMP NOT NULL, sid INTEGER NOT NULL, n BIGINT NOT NULL, total DOUBLE NOT NULL,
    low DOUBLE NOT NULL, high DOUBLE NOT NULL, last DOUBLE NOT NULL, last_ts TIMESTAMP NOT NULL
);
CREATE TABLE watermark (name VARCHAR NOT NULL, ts TIMESTAMP NOT NULL);
INSERT INTO watermark VALUES
    ('rolled_1m', TIMESTAMP '0001-01-01'), ('rolled_1h', TIMESTAMP '0001-01-01'), ('sealed', TIMESTAMP '0001-01-01'),
    ('kept_raw', TIMESTAMP '0001-01-01'), ('kept_1m', TIMESTAMP '0001-01-01'), ('kept_1h', TIMESTAMP '0001-01-01');
CREATE TABLE setting_changes (
    id BIGINT NOT NULL, ts TIMESTAMP NOT NULL, path VARCHAR NOT NULL, value VARCHAR, author VARCHAR NOT NULL
);
COMMENT ON TABLE series IS 'Dictionary of series: id, identity, first sample';
COMMENT ON TABLE hot IS 'Newest raw samples in the order of their arrival';
COMMENT ON TABLE samples IS 'Older raw samples in runs sorted by series and time';
COMMENT ON TABLE roll_1m IS 'Minutes; a late sample adds a row of its own, readers merge them';
COMMENT ON TABLE roll_1h IS 'Hours; a late sample adds a row of its own, readers merge them';
COMMENT ON TABLE watermark IS 'How far the upkeep has come: rolled up and sealed up to, kept from';
COMMENT ON TABLE setting_changes IS 'Audit of settings changed at run time; the newest of a path is in force';
CREATE SCHEMA perf;
CREATE VIEW perf.metrics AS
SELECT raw.ts, series.metric, series.labels, raw.value, series.unit
FROM (SELECT ts, sid, value FROM samples UNION ALL SELECT ts, sid, value FROM hot) AS raw
JOIN series USING (sid);
CREATE VIEW perf.metrics_1m AS
SELECT rows.ts, series.metric, series.labels, rows.n, rows.sum, rows.min, rows.max, rows.last, series.unit
FROM (
    SELECT ts, sid, sum(n)::BIGINT AS n, sum(total) AS "sum", min(low) AS "min", max(high) AS "max",
           arg_max(last, (last_ts, last)) AS last
    FROM (
        SELECT ts, sid, n, total, low, high, last, last_ts FROM roll_1m
        UNION ALL
        SELECT time_bucket(INTERVAL 1 MINUTE, ts), sid, 1, value, value, value, value, ts
        FROM hot WHERE ts >= (SELECT ts FROM watermark WHERE name = 'rolled_1m')
    )
    GROUP BY ts, sid
) AS rows JOIN series USING (sid);
CREATE VIEW perf.metrics_1h AS
SELECT rows.ts, series.metric, series.labels, rows.n, rows.sum, rows.min, rows.max, rows.last, series.unit
FROM (
    SELECT ts, sid, sum(n)::BIGINT AS n, sum(total) AS "sum", min(low) AS "min", max(high) AS "max",
           arg_max(last, (last_ts, last)) AS last
    FROM (
        SELECT ts, sid, n, total, low, high, last, last_ts FROM roll_1h
        UNION ALL
        SELECT time_bucket(INTERVAL 1 HOUR, ts), sid, n, total, low, high, last, last_ts
        FROM roll_1m WHERE ts >= (SELECT ts FROM watermark WHERE name = 'rolled_1h')
        UNION ALL
        SELECT time_bucket(INTERVAL 1 HOUR, ts), sid, 1, value, value, value, value, ts
        FROM hot WHERE ts >= (SELECT ts FROM watermark WHERE name = 'rolled_1m')
    )
    GROUP BY ts, sid
) AS rows JOIN series USING (sid);
COMMENT ON VIEW perf.metrics IS 'Every raw sample';
COMMENT ON COLUMN perf.metrics.ts IS 'Time of the sample, UTC';
COMMENT ON COLUMN perf.metrics.metric IS 'Name of the metric';
COMMENT ON COLUMN perf.metrics.labels IS 'What sets the series of a metric apart';
COMMENT ON COLUMN perf.metrics.value IS 'The number, in the unit of the metric';
COMMENT ON COLUMN perf.metrics.unit IS 'Unit of the metric: s, By, %, ...';
COMMENT ON VIEW perf.metrics_1m IS 'Every series minute by minute';
COMMENT ON COLUMN perf.metrics_1m.ts IS 'Start of the minute, UTC';
COMMENT ON COLUMN perf.metrics_1m.metric IS 'Name of the metric';
COMMENT ON COLUMN perf.metrics_1m.labels IS 'What sets the series of a metric apart';
COMMENT ON COLUMN perf.metrics_1m.n IS 'Number of samples';
COMMENT ON COLUMN perf.metrics_1m.sum IS 'Sum of the samples';
COMMENT ON COLUMN perf.metrics_1m.min IS 'Smallest sample';
COMMENT ON COLUMN perf.metrics_1m.max IS 'Largest sample';
COMMENT ON COLUMN perf.metrics_1m.last IS 'Newest sample';
COMMENT ON COLUMN perf.metrics_1m.unit IS 'Unit of the metric: s, By, %, ...';
COMMENT ON VIEW perf.metrics_1h IS 'Every series hour by hour';
COMMENT ON COLUMN perf.metrics_1h.ts IS 'Start of the hour, UTC';
COMMENT ON COLUMN perf.metrics_1h.metric IS 'Name of the metric';
COMMENT ON COLUMN perf.metrics_1h.labels IS 'What sets the series of a metric apart';
COMMENT ON COLUMN perf.metrics_1h.n IS 'Number of samples';
COMMENT ON COLUMN perf.metrics_1h.sum IS 'Sum of the samples';
COMMENT ON COLUMN perf.metrics_1h.min IS 'Smallest sample';
COMMENT ON COLUMN perf.metrics_1h.max IS 'Largest sample';
COMMENT ON COLUMN perf.metrics_1h.last IS 'Newest sample';
COMMENT ON COLUMN perf.metrics_1h.unit IS 'Unit of the metric: s, By, %, ...';
