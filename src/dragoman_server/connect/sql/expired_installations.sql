-- Of every environment, a bounded batch, locked; safe with many processes. What an event came for is being used.
SELECT environment_id, connection_id FROM connect.installations
WHERE expires_at < kit.now() AND sealed IS NULL
ORDER BY expires_at LIMIT $1 FOR UPDATE SKIP LOCKED
