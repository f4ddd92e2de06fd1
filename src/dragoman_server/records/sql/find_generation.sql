-- An owner's generation on a stream; read under the stream's lock.
SELECT run_id, attempt, stream_id, first_chunk, start_seq, closing, deleted FROM records.generations
WHERE environment_id = $1 AND stream_key = $2 AND owner = $3
