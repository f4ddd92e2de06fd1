-- Notes how far the re-encryption of a data key has come; with two at work it only repeats some of it.
INSERT INTO records.reseals (environment_id, data_key_id, stream_key, seq) VALUES ($1, $2, $3, $4)
ON CONFLICT (environment_id, data_key_id) DO UPDATE SET stream_key = excluded.stream_key, seq = excluded.seq
