-- Keeps a batch's answer; nothing is returned if it is already there (then the caller rolls back and repeats that answer).
INSERT INTO records.batches (owner, run_id, attempt, batch, environment_id, answer) VALUES ($2, $3, $4, $5, $1, $6)
ON CONFLICT DO NOTHING RETURNING true
