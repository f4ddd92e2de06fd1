-- Ended sessions of every environment, a bounded batch; safe with many processes.
DELETE FROM connect.sessions WHERE id = ANY (ARRAY (
    SELECT id FROM connect.sessions WHERE expires_at < kit.now() ORDER BY expires_at LIMIT $1 FOR UPDATE SKIP LOCKED))
