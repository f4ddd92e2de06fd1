-- Give up pending deliveries of every environment whose time is over. Safe with many callers: locked rows wait.
UPDATE webhooks.deliveries d SET state = 'failed', finished_at = kit.now()
WHERE d.id IN (SELECT x.id FROM webhooks.deliveries x WHERE x.state = 'pending' AND x.expires_at <= kit.now()
        AND x.due_at <= kit.now() ORDER BY x.expires_at LIMIT $1 FOR UPDATE SKIP LOCKED)
RETURNING d.environment_id, d.id
