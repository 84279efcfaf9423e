-- Question: one distribution of all those that a series has at one time. Follows WITH points AS (hist_*.sql).
-- Bucket -32767 stands for the zeros meanwhile, and carries what belongs to the row.
-- Columns: those of the tables of distributions.
-- Minimum version: DuckDB 1.5. Source: design of the store.
SELECT ts, sid, sum(n)::BIGINT AS n, sum(total) AS total, min(low) AS low, max(high) AS high,
       (sum(observed) FILTER (WHERE bucket = -32767))::BIGINT AS zero,
       coalesce(
           map(list(bucket ORDER BY bucket) FILTER (WHERE bucket > -32767),
               list(observed ORDER BY bucket) FILTER (WHERE bucket > -32767)),
           map([]::SMALLINT[], []::UBIGINT[])
       ) AS h,
       max(last_ts) AS last_ts
FROM (
    SELECT ts, sid, entry.key AS bucket, sum(entry.value)::UBIGINT AS observed,
           sum(CASE WHEN entry.key = -32767 THEN n END) AS n,
           sum(CASE WHEN entry.key = -32767 THEN total END) AS total,
           min(low) AS low, max(high) AS high, max(last_ts) AS last_ts
    FROM (
        SELECT ts, sid, n, total, low, high, last_ts,
               unnest(list_prepend({'key': -32767::SMALLINT, 'value': zero::UBIGINT}, map_entries(h))) AS entry
        FROM points
    )
    GROUP BY ts, sid, bucket
)
GROUP BY ts, sid
ORDER BY sid, ts
