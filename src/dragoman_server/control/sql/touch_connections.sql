-- Notes that connections were fetched; at most once a minute each. A row another process holds is skipped: it is being
-- touched, or changed, anyway.
UPDATE control.connections SET last_fetched_at = kit.now()
WHERE environment_id = ANY ($1::int[]) AND id = ANY (ARRAY (
    SELECT c.id FROM control.connections c
    JOIN unnest($1::int[], $2::bigint[]) AS n (environment_id, id) ON n.environment_id = c.environment_id AND n.id = c.id
    WHERE c.last_fetched_at IS NULL OR c.last_fetched_at < kit.now() - interval '1 minute'
    ORDER BY c.id FOR UPDATE OF c SKIP LOCKED))
