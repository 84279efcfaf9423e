-- Question: the newest value of every series step by step, and the extremes. Follows WITH points AS (one of points_*.sql).
-- Of two samples of one time the larger counts as the newer.
-- Parameters: step (microseconds), cap (rows), and those of the points.
-- Columns: sid, step (its start, microseconds since 1970), value, low, high (units of the metric). In no order.
-- Minimum version: DuckDB 1.5. Source: design of the store.
SELECT sid, epoch_us(ts) // $step * $step AS step,
       arg_max(last, (last_ts, last)) AS value, min(low) AS low, max(high) AS high
FROM points
GROUP BY ALL
LIMIT $cap
