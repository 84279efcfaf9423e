-- Question: the second layout: distributions (hot in arrival order, sealed in sorted runs), their roll-ups, and their view.
-- Every level has the same columns. h counts observations by bucket: bucket i holds those in (2^(i/16), 2^((i+1)/16)];
--   zero counts those below a billionth.
-- Measured on minutes of 200 observations (57 buckets): 141 bytes a row with the map, 157 with a table of buckets beside.
-- Minimum version: DuckDB 1.5 (storage v1.5.0). Source: design of the store.
CREATE TABLE hot_hist (
    ts TIMESTAMP NOT NULL, sid INTEGER NOT NULL, n BIGINT NOT NULL, total DOUBLE NOT NULL, low DOUBLE NOT NULL,
    high DOUBLE NOT NULL, zero BIGINT NOT NULL, h MAP(SMALLINT, UBIGINT) NOT NULL, last_ts TIMESTAMP NOT NULL
);
CREATE TABLE hist (
    ts TIMESTAMP NOT NULL, sid INTEGER NOT NULL, n BIGINT NOT NULL, total DOUBLE NOT NULL, low DOUBLE NOT NULL,
    high DOUBLE NOT NULL, zero BIGINT NOT NULL, h MAP(SMALLINT, UBIGINT) NOT NULL, last_ts TIMESTAMP NOT NULL
);
CREATE TABLE roll_1m_hist (
    ts TIMESTAMP NOT NULL, sid INTEGER NOT NULL, n BIGINT NOT NULL, total DOUBLE NOT NULL, low DOUBLE NOT NULL,
    high DOUBLE NOT NULL, zero BIGINT NOT NULL, h MAP(SMALLINT, UBIGINT) NOT NULL, last_ts TIMESTAMP NOT NULL
);
CREATE TABLE roll_1h_hist (
    ts TIMESTAMP NOT NULL, sid INTEGER NOT NULL, n BIGINT NOT NULL, total DOUBLE NOT NULL, low DOUBLE NOT NULL,
    high DOUBLE NOT NULL, zero BIGINT NOT NULL, h MAP(SMALLINT, UBIGINT) NOT NULL, last_ts TIMESTAMP NOT NULL
);
COMMENT ON TABLE hot_hist IS 'Newest distributions in the order of their arrival';
COMMENT ON TABLE hist IS 'Older distributions in runs sorted by series and time';
COMMENT ON TABLE roll_1m_hist IS 'Distributions of minutes; a late one adds a row of its own, readers merge them';
COMMENT ON TABLE roll_1h_hist IS 'Distributions of hours; a late one adds a row of its own, readers merge them';
CREATE VIEW perf.distributions AS
SELECT rows.ts, series.metric, series.labels, rows.n, rows.sum, rows.min, rows.max, rows.p50, rows.p95, rows.p99, series.unit
FROM (
    SELECT ts, sid, any_value(n)::BIGINT AS n, any_value(total) AS "sum", any_value(low) AS "min", any_value(high) AS "max",
           CASE greatest(ceil(0.5 * any_value(n) - 1e-9), 1)
               WHEN 1 THEN any_value(low) WHEN any_value(n) THEN any_value(high)
               ELSE least(greatest(min(middle) FILTER (WHERE upto >= ceil(0.5 * n - 1e-9)), any_value(low)), any_value(high))
           END AS p50,
           CASE greatest(ceil(0.95 * any_value(n) - 1e-9), 1)
               WHEN 1 THEN any_value(low) WHEN any_value(n) THEN any_value(high)
               ELSE least(greatest(min(middle) FILTER (WHERE upto >= ceil(0.95 * n - 1e-9)), any_value(low)), any_value(high))
           END AS p95,
           CASE greatest(ceil(0.99 * any_value(n) - 1e-9), 1)
               WHEN 1 THEN any_value(low) WHEN any_value(n) THEN any_value(high)
               ELSE least(greatest(min(middle) FILTER (WHERE upto >= ceil(0.99 * n - 1e-9)), any_value(low)), any_value(high))
           END AS p99
    FROM (
        SELECT ts, sid,
               CASE WHEN bucket > -32767 THEN 2 ** (bucket / 16) * (2 * 2 ** (1 / 16) / (1 + 2 ** (1 / 16))) ELSE 0 END AS middle,
               sum(observed) OVER (PARTITION BY ts, sid ORDER BY bucket) AS upto,
               sum(n) OVER (PARTITION BY ts, sid)::DOUBLE AS n, sum(total) OVER (PARTITION BY ts, sid) AS total,
               min(low) OVER (PARTITION BY ts, sid) AS low, max(high) OVER (PARTITION BY ts, sid) AS high
        FROM (
            SELECT ts, sid, entry.key AS bucket, sum(entry.value) AS observed,
                   sum(CASE WHEN entry.key = -32767 THEN n END) AS n,
                   sum(CASE WHEN entry.key = -32767 THEN total END) AS total, min(low) AS low, max(high) AS high
            FROM (
                SELECT ts, sid, n, total, low, high,
                       unnest(list_prepend({'key': -32767::SMALLINT, 'value': zero::UBIGINT}, map_entries(h))) AS entry
                FROM (
                    SELECT ts, sid, n, total, low, high, zero, h FROM roll_1m_hist
                    UNION ALL
                    SELECT time_bucket(INTERVAL 1 MINUTE, ts), sid, n, total, low, high, zero, h
                    FROM hot_hist WHERE ts >= (SELECT ts FROM watermark WHERE name = 'rolled_1m')
                )
            )
            GROUP BY ts, sid, bucket
        )
    )
    GROUP BY ts, sid
) AS rows JOIN series USING (sid);
COMMENT ON VIEW perf.distributions IS 'Durations and other distributions, minute by minute';
COMMENT ON COLUMN perf.distributions.ts IS 'Start of the minute, UTC';
COMMENT ON COLUMN perf.distributions.metric IS 'Name of the metric';
COMMENT ON COLUMN perf.distributions.labels IS 'What sets the series of a metric apart';
COMMENT ON COLUMN perf.distributions.n IS 'Number of observations';
COMMENT ON COLUMN perf.distributions.sum IS 'Sum of the observations';
COMMENT ON COLUMN perf.distributions.min IS 'Smallest observation';
COMMENT ON COLUMN perf.distributions.max IS 'Largest observation';
COMMENT ON COLUMN perf.distributions.p50 IS 'Median, within 2.2 %; medians of several rows must not be averaged';
COMMENT ON COLUMN perf.distributions.p95 IS '95th percentile, within 2.2 %; must not be averaged';
COMMENT ON COLUMN perf.distributions.p99 IS '99th percentile, within 2.2 %; must not be averaged';
COMMENT ON COLUMN perf.distributions.unit IS 'Unit of the metric: s, By, %, ...';
