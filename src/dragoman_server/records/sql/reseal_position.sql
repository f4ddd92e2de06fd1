-- How far the re-encryption of a data key has come; only reads.
SELECT stream_key, seq FROM records.reseals WHERE environment_id = $1 AND data_key_id = $2
