-- Question: increase per second of counters step by step. Follows WITH points AS (points_raw.sql).
-- Between two neighbours of a series the increase is their difference, or the new value after a fall (a reset); it counts
-- for the step of the later one. Neighbours further apart than the gap give nothing.
-- Parameters: step and gap (microseconds), begin (start of the window, microseconds; points reach further back), cap (rows).
-- Columns: sid, step (its start, microseconds since 1970), value (units of the metric per second). In no order.
-- Minimum version: DuckDB 1.5. Source: design of the store.
SELECT sid, step, sum(increase) / (sum(distance) / 1e6) AS value
FROM (
    SELECT sid, ts, epoch_us(ts) // $step * $step AS step,
           epoch_us(last_ts) - lag(epoch_us(last_ts)) OVER neighbours AS distance,
           CASE WHEN last < lag(last) OVER neighbours THEN last ELSE last - lag(last) OVER neighbours END AS increase
    FROM points
    WINDOW neighbours AS (PARTITION BY sid ORDER BY last_ts, last)
)
WHERE distance <= $gap AND ts >= make_timestamp($begin)
GROUP BY ALL
HAVING sum(distance) > 0
LIMIT $cap
