-- Ended states of every environment, a bounded batch; safe with many processes.
DELETE FROM connect.oauth_states WHERE state_hash = ANY (ARRAY (
    SELECT state_hash FROM connect.oauth_states WHERE expires_at < kit.now() ORDER BY expires_at LIMIT $1
    FOR UPDATE SKIP LOCKED))
