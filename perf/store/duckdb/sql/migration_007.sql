-- Question: the seventh layout: the names and columns that scripts of older systems ask, as views.
-- A minute is a row: what an older system measured once a minute is here the mean of all that was measured in it. NULL: nobody
-- measured. Series are chosen before they are read: 10,000 minutes out of five million rows took 25 ms (by metrics_1m: 620).
-- Growth of a counter is as in perf/views/counters.py: from the last value, and from zero after a fall.
-- Minimum version: DuckDB 1.5 (storage v1.5.0). Source: design of the store.
CREATE VIEW perf.performance_metrics AS
SELECT ts AS "timestamp",
       1000 * sum(total) FILTER (WHERE metric = 'db_client_operation_duration_seconds')
           / sum(n) FILTER (WHERE metric = 'db_client_operation_duration_seconds') AS query_execution_time_ms,
       100 * (1 - coalesce(sum(n) FILTER (WHERE metric = 'cache_requests_total' AND labels['tier'] = 'load'), 0)
           / nullif(sum(n) FILTER (WHERE metric = 'cache_requests_total'), 0)) AS cache_hit_rate_percent,
       sum(total) FILTER (WHERE metric = 'health_score')
           / sum(n) FILTER (WHERE metric = 'health_score') AS system_health_score,
       max(total / n) FILTER (WHERE metric = 'cpu_usage_percent') AS cpu_usage_percent,
       max(total / n) FILTER (WHERE metric = 'process_memory_bytes') / 1048576 AS memory_usage_mb,
       CASE WHEN bool_or(
               metric = 'http_server_request_duration_seconds'
               AND coalesce(labels['http_response_status_code'], labels['error_type']) IS NOT NULL
           )
           THEN 100 * coalesce(sum(n) FILTER (
                   WHERE metric = 'http_server_request_duration_seconds'
                       AND (labels['error_type'] IS NOT NULL OR labels['http_response_status_code'] LIKE '5%')
               ), 0) / sum(n) FILTER (WHERE metric = 'http_server_request_duration_seconds')
       END AS error_rate_percent
FROM (
    SELECT ts, sid, sum(n)::DOUBLE AS n, sum(total) AS total
    FROM (
        SELECT ts, sid, n, total FROM roll_1m
        UNION ALL
        SELECT time_bucket(INTERVAL 1 MINUTE, ts), sid, 1, value
        FROM hot WHERE ts >= (SELECT ts FROM watermark WHERE name = 'rolled_1m')
    )
    WHERE sid IN (
        SELECT sid FROM series WHERE metric IN ('cpu_usage_percent', 'process_memory_bytes', 'health_score')
    )
    GROUP BY ts, sid
    UNION ALL
    SELECT ts, sid, sum(n)::DOUBLE, sum(total)
    FROM (
        SELECT ts, sid, n, total FROM roll_1m_hist
        UNION ALL
        SELECT time_bucket(INTERVAL 1 MINUTE, ts), sid, n, total
        FROM hot_hist WHERE ts >= (SELECT ts FROM watermark WHERE name = 'rolled_1m')
    )
    WHERE sid IN (
        SELECT sid FROM series
        WHERE metric IN ('db_client_operation_duration_seconds', 'http_server_request_duration_seconds')
    )
    GROUP BY ts, sid
    UNION ALL
    SELECT ts, sid,
           greatest(0, CASE
               WHEN low < before THEN last + CASE WHEN high > last THEN greatest(0, high - before) ELSE 0 END
               ELSE last - before
           END),
           NULL
    FROM (
        SELECT ts, sid, low, high, last, coalesce(lag(last) OVER (PARTITION BY sid ORDER BY ts), low) AS before
        FROM (
            SELECT ts, sid, min(low) AS low, max(high) AS high, arg_max(last, (last_ts, last)) AS last
            FROM (
                SELECT ts, sid, low, high, last, last_ts FROM roll_1m
                UNION ALL
                SELECT time_bucket(INTERVAL 1 MINUTE, ts), sid, value, value, value, ts
                FROM hot WHERE ts >= (SELECT ts FROM watermark WHERE name = 'rolled_1m')
            )
            WHERE sid IN (
                SELECT sid FROM series
                -- The dashboard's own cache is nobody's program.
                WHERE metric = 'cache_requests_total' AND coalesce(labels['cache'], '') <> 'perf-dashboard'
            )
            GROUP BY ts, sid
        )
    )
) AS minutes JOIN series USING (sid)
GROUP BY ts;
COMMENT ON VIEW perf.performance_metrics IS 'The monitored whole, minute by minute';
COMMENT ON COLUMN perf.performance_metrics."timestamp" IS 'Start of the minute, UTC';
COMMENT ON COLUMN perf.performance_metrics.query_execution_time_ms IS 'Mean of all database operations, in milliseconds';
COMMENT ON COLUMN perf.performance_metrics.cache_hit_rate_percent IS 'Requests that a tier of a cache answered, of all';
COMMENT ON COLUMN perf.performance_metrics.system_health_score IS 'The score from 0 to 100, as it stood';
COMMENT ON COLUMN perf.performance_metrics.cpu_usage_percent IS 'CPU of the machine in use';
COMMENT ON COLUMN perf.performance_metrics.memory_usage_mb IS 'Memory of the largest process that is watched, in MiB';
COMMENT ON COLUMN perf.performance_metrics.error_rate_percent IS 'Requests that failed, of all';
CREATE VIEW perf.query_performance AS
SELECT minutes.ts AS "timestamp",
       coalesce(
           nullif(series.labels['db_query_summary'], ''),
           concat_ws(':', series.labels['db_operation'], series.labels['db_collection'])
       ) AS query_name,
       1000 * sum(minutes.total) / sum(minutes.n) AS execution_time_ms,
       -- What a cache answers never gets as far as a database.
       false AS cache_hit
FROM (
    SELECT ts, sid, n, total FROM roll_1m_hist
    UNION ALL
    SELECT time_bucket(INTERVAL 1 MINUTE, ts), sid, n, total
    FROM hot_hist WHERE ts >= (SELECT ts FROM watermark WHERE name = 'rolled_1m')
) AS minutes JOIN series USING (sid)
WHERE series.metric = 'db_client_operation_duration_seconds'
GROUP BY 1, 2;
COMMENT ON VIEW perf.query_performance IS 'Queries that reached a database, minute by minute';
COMMENT ON COLUMN perf.query_performance."timestamp" IS 'Start of the minute, UTC';
COMMENT ON COLUMN perf.query_performance.query_name IS 'The statement in short, or operation:table';
COMMENT ON COLUMN perf.query_performance.execution_time_ms IS 'Mean of the minute, in milliseconds';
COMMENT ON COLUMN perf.query_performance.cache_hit IS 'Always false: what a cache answers asks no database';
CREATE VIEW perf.performance_alerts AS
SELECT ts AS "timestamp", rule AS alert_type, severity, coalesce(nullif(summary, ''), rule) AS message FROM perf.alerts;
COMMENT ON VIEW perf.performance_alerts IS 'Alerts that fired';
COMMENT ON COLUMN perf.performance_alerts."timestamp" IS 'When it fired, UTC';
COMMENT ON COLUMN perf.performance_alerts.alert_type IS 'Name of the rule; its id when it was dropped';
COMMENT ON COLUMN perf.performance_alerts.severity IS 'low, medium, high or critical';
COMMENT ON COLUMN perf.performance_alerts.message IS 'What is wrong; the name of the rule where it says no more';
