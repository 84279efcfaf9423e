-- Question: how long each probe was in each state, in equal steps. Parameters: start, end, step, hold (microseconds; hold: how long a result stands without a later one).
-- Columns: probe, number of the step from start on, status, microseconds.
-- Minimum version: DuckDB 1.5. Source: design of the store.
WITH kept AS (
    SELECT epoch_us(ts) AS ts, rowid AS place, probe, status FROM probe_results
    WHERE ts >= make_timestamp($start - $hold) AND ts < make_timestamp($end)
), stands AS (
    SELECT probe, status, greatest(ts, $start) AS first,
           least(lead(ts, 1, $end::BIGINT) OVER (PARTITION BY probe ORDER BY ts, place), ts + $hold) AS last
    FROM kept
), cut AS (
    SELECT probe, status, first - $start AS first, last - $start AS last,
           unnest(generate_series((first - $start) // $step, (last - 1 - $start) // $step)) AS number
    FROM stands WHERE last > first
)
SELECT probe, number, status, sum(least(last, (number + 1) * $step) - greatest(first, number * $step))::BIGINT
FROM cut GROUP BY probe, number, status
