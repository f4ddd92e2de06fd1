-- Ended device authorizations of every environment, an hour later, a bounded batch; safe with many processes.
DELETE FROM connect.device_authorizations WHERE id = ANY (ARRAY (
    SELECT id FROM connect.device_authorizations WHERE expires_at < kit.now() - interval '1 hour'
    ORDER BY expires_at LIMIT $1 FOR UPDATE SKIP LOCKED))
