-- How many live records each stream of these connections has; only reads.
SELECT connection_row_id, model, variant, live, bytes, last_modified_at FROM records.streams
WHERE environment_id = $1 AND connection_row_id = ANY ($2::bigint[]) ORDER BY connection_row_id, model, variant
