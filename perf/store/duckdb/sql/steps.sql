-- Question: count, sum and extremes of every series step by step. Follows WITH points AS (one of points_*.sql).
-- Parameters: step (microseconds), cap (rows), and those of the points.
-- Columns: sid, step (its start, microseconds since 1970), n, total, low, high (units of the metric). In no order.
-- Minimum version: DuckDB 1.5. Source: design of the store.
SELECT sid, epoch_us(ts) // $step * $step AS step,
       sum(n)::DOUBLE AS n, sum(total) AS total, min(low) AS low, max(high) AS high
FROM points
GROUP BY ALL
LIMIT $cap
