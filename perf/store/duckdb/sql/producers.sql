-- Question: the highest batch of every sender that is stored; who was silent for longest first.
-- Columns: producer, seq, seen (microseconds since 1970).
-- Minimum version: DuckDB 1.5. Source: design of the store.
SELECT producer, seq, epoch_us(seen) AS seen FROM producer_seq ORDER BY producer_seq.seen, producer
