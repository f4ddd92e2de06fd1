-- Forget messages of every environment older than $1 days to which no delivery points any more.
WITH gone AS (
    DELETE FROM webhooks.messages m WHERE (m.environment_id, m.id) IN (
        SELECT x.environment_id, x.id FROM webhooks.messages x WHERE x.created_at < kit.now() - make_interval(days => $1)
            AND NOT EXISTS (SELECT FROM webhooks.deliveries d
                WHERE d.environment_id = x.environment_id AND d.message_id = x.id)
        ORDER BY x.created_at LIMIT $2 FOR UPDATE SKIP LOCKED)
    RETURNING 1)
SELECT count(*) FROM gone
