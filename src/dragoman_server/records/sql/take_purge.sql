-- Takes the oldest contents to purge. Safe with many purgers: a row another one holds is skipped.
SELECT environment_id, stream_id FROM records.purges ORDER BY since, stream_id LIMIT 1 FOR UPDATE SKIP LOCKED
