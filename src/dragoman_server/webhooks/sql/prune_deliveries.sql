-- Forget finished deliveries of every environment older than $1 days; their attempts go with them.
WITH gone AS (
    DELETE FROM webhooks.deliveries WHERE id IN (
        SELECT x.id FROM webhooks.deliveries x WHERE x.created_at < kit.now() - make_interval(days => $1)
            AND x.state <> 'pending' ORDER BY x.created_at LIMIT $2 FOR UPDATE SKIP LOCKED)
    RETURNING 1)
SELECT count(*) FROM gone
