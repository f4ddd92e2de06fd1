-- Notes that keys (of any environment_id) were used; sorted, so that two processes never deadlock, and at most once a
-- minute each, so that a busy key is no hot row.
UPDATE control.api_keys SET last_used_at = kit.now()
WHERE id = ANY (ARRAY (SELECT k.id FROM control.api_keys k WHERE k.id = ANY ($1::int[])
    AND (k.last_used_at IS NULL OR k.last_used_at < kit.now() - interval '1 minute') ORDER BY k.id FOR UPDATE SKIP LOCKED))
