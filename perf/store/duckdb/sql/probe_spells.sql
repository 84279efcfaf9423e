-- Question: stretches of one state of a probe in a span, the newest first. Parameters: probe, start, end, hold (microseconds; how long a result stands without a later one), count.
-- Columns: status, last message, start and end (microseconds).
-- Minimum version: DuckDB 1.5. Source: gaps and islands.
WITH kept AS (
    SELECT epoch_us(ts) AS ts, rowid AS place, status, message FROM probe_results
    WHERE probe = $probe AND ts >= make_timestamp($start - $hold) AND ts < make_timestamp($end)
), stands AS (
    SELECT place, ts AS began, status, message, greatest(ts, $start) AS first,
           least(lead(ts, 1, $end::BIGINT) OVER (ORDER BY ts, place), ts + $hold) AS last
    FROM kept
), marked AS (
    SELECT *, status IS DISTINCT FROM lag(status) OVER sorted OR first > lag(last) OVER sorted AS new
    FROM stands WHERE last > first WINDOW sorted AS (ORDER BY began, place)
), numbered AS (
    SELECT *, sum(new::INTEGER) OVER (ORDER BY began, place) AS spell FROM marked
)
SELECT status, arg_max(message, (began, place)), min(first), max(last) FROM numbered
GROUP BY spell, status ORDER BY spell DESC LIMIT $count
