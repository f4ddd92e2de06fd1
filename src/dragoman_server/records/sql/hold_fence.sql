-- True if (run, attempt) is current, and keeps it so to the end of the transaction: begin_attempt waits for this lock.
SELECT f.run_id = $3 AND f.attempt = $4 FROM records.fences f
WHERE f.environment_id = $1 AND f.owner = $2 FOR SHARE
