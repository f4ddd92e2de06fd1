-- Time out operations of every environment (environment_id is returned) that outlived their kind, or that are running
-- in a process which has not beaten for $1. Safe with many sweepers: rows another one holds are skipped.
WITH stale AS (
    SELECT o.at, o.id FROM logs.operations o LEFT JOIN logs.writers w ON w.id = o.writer_id
    WHERE o.state IN ('waiting', 'running')
        AND (o.expires_at < kit.now() OR (o.state = 'running' AND coalesce(w.beat_at, o.at) < kit.now() - $1::interval))
    ORDER BY o.at LIMIT $2 FOR UPDATE OF o SKIP LOCKED)
UPDATE logs.operations o SET state = 'timeout', finished_at = kit.now(), error = coalesce(o.error, $3)
FROM stale s WHERE o.at = s.at AND o.id = s.id RETURNING o.environment_id, o.id
