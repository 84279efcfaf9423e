-- Question: one page of the audit log in a span, the newest first, and how many entries there are.
-- Parameters: start, end (microseconds), action (the beginning of it), who (all of it; empty: anybody), count, skip.
-- Minimum version: DuckDB 1.5. Source: design of the store.
SELECT epoch_us(ts), who, via, address, action, subject, before, after, count(*) OVER () AS total FROM audit
WHERE ts >= make_timestamp($start) AND ts < make_timestamp($end)
    AND starts_with(action, $action) AND ($who = '' OR who = $who)
ORDER BY ts DESC, rowid DESC LIMIT $count OFFSET $skip
