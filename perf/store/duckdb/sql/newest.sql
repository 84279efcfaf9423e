-- Question: of every minute or hour of a series only its newest value; makes several rows of one row's time one.
-- Follows WITH points AS (points_1m.sql or points_1h.sql).
-- Parameters: those of the points.
-- Columns: sid, ts (start of the row), last (unit of the metric), last_ts.
-- Minimum version: DuckDB 1.5. Source: design of the store.
SELECT sid, ts, arg_max(last, (last_ts, last)) AS last, max(last_ts) AS last_ts
FROM points
GROUP BY ALL
