-- What was learned of a token's life, for exactly the version it was learned of: a newer credential keeps its own.
UPDATE connect.credentials
SET sealed = $4, data_key_id = $5, expires_at = $6, stale_at = $7, due_at = $8
WHERE environment_id = $1 AND connection_id = $2 AND version = $3 AND ended_at IS NULL
