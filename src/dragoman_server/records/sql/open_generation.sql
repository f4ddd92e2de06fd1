-- Starts an owner's generation afresh where the stream stands; under the stream's lock.
INSERT INTO records.generations AS g (stream_key, owner, environment_id, run_id, attempt, stream_id, first_chunk, start_seq)
VALUES ($2, $3, $1, $4, $5, $6, nextval('records.chunk_numbers'), $7)
ON CONFLICT (stream_key, owner) DO UPDATE SET run_id = excluded.run_id, attempt = excluded.attempt,
    stream_id = excluded.stream_id, first_chunk = excluded.first_chunk, start_seq = excluded.start_seq,
    closing = false, position = 0, deleted = 0, opened_at = kit.now()
WHERE g.environment_id = $1
