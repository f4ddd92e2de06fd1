-- Resolves a stream; only reads.
SELECT key, stream_id, connection_uuid, last_seq, live, bytes, last_modified_at FROM records.streams
WHERE environment_id = $1 AND connection_row_id = $2 AND model = $3 AND variant = $4
