-- How long ago the youngest that is still owed was ended; null when nothing is.
SELECT kit.now() - max(ended_at) FROM connect.credentials
WHERE environment_id = $1 AND ended_by = $2 AND ended_at IS NOT NULL
