-- Question: distributions of every series with the step they belong to. Follows WITH points AS (one of hist_points_*.sql).
-- Merged by the caller: numpy needs a tenth of the time that grouping unnested maps takes.
-- Parameters: step (microseconds), and those of the points.
-- Columns: sid, step (its start, microseconds since 1970), n, total, low, high (units of the metric), zero, buckets and
--   observed (lists of the same length). In no order, several rows a step.
-- Minimum version: DuckDB 1.5. Source: design of the store.
SELECT sid, epoch_us(ts) // $step * $step AS step, n, total, low, high, zero,
       map_keys(h) AS buckets, map_values(h) AS observed
FROM points
