-- Question: note the batches that are being stored. Parameters: producers and seqs (lists, each producer once), seen
--   (microseconds).
-- Minimum version: DuckDB 1.5. Source: design of the store.
MERGE INTO producer_seq AS known
USING (SELECT unnest($producers::VARCHAR[]) AS producer, unnest($seqs::BIGINT[]) AS seq) AS given
ON known.producer = given.producer
WHEN MATCHED THEN UPDATE SET seq = greatest(known.seq, given.seq), seen = make_timestamp($seen)
WHEN NOT MATCHED THEN INSERT VALUES (given.producer, given.seq, make_timestamp($seen))
