-- Question: record a deploy or a note, unless the very same is there: it comes again when an answer was lost. Parameters: ts (microseconds), kind, title, service, text.
-- Minimum version: DuckDB 1.5. Source: design of the store.
INSERT INTO annotations
SELECT make_timestamp($ts), $kind, $title, $service, $text
WHERE NOT EXISTS (
    FROM annotations AS noted
    WHERE noted.ts = make_timestamp($ts) AND noted.kind = $kind AND noted.title = $title
      AND noted.service = $service AND noted.text = $text
)
