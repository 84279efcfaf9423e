-- Question: one page of the incidents that fired and were open in a span, and how many there are. Parameters: start, end (microseconds), rule_id, severity, state (each '' for any), search (lower case), count, skip.
-- Minimum version: DuckDB 1.5. Source: design of the store.
SELECT body, count(*) OVER () AS total FROM incidents
WHERE fired_at < make_timestamp($end) AND coalesce(resolved_at, make_timestamp($end)) >= make_timestamp($start)
  AND $rule_id IN ('', rule_id) AND $severity IN ('', severity) AND $state IN ('', state)
  AND contains(lower(concat_ws(chr(10), summary, array_to_string(map_values(labels), chr(10)))), $search)
ORDER BY fired_at DESC, id DESC LIMIT $count OFFSET $skip
