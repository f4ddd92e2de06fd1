-- The head of the due-queue over all environments, without a lock: two processes may look at the same rows, the lease
-- decides. Rows at rest (unused for a day, renewed less than a day ago) are put off first, so they never block the head.
WITH due AS MATERIALIZED (
    SELECT environment_id, connection_id, coalesce(used_at, stored_at) AS used_at,
        greatest(issued_at, stored_at) + $2::interval AS rest_until
    FROM connect.credentials
    WHERE due_at <= kit.now() AND NOT exhausted AND (lease_until IS NULL OR lease_until <= kit.now())
    ORDER BY due_at LIMIT $1),
put_off AS (
    UPDATE connect.credentials c SET due_at = due.rest_until
    FROM due
    WHERE c.environment_id = due.environment_id AND c.connection_id = due.connection_id
        AND due.used_at < kit.now() - $3::interval AND due.rest_until > kit.now() AND c.due_at <= kit.now()
    RETURNING c.environment_id, c.connection_id)
SELECT due.environment_id, due.connection_id FROM due
WHERE NOT EXISTS (
    SELECT FROM put_off p WHERE p.environment_id = due.environment_id AND p.connection_id = due.connection_id)
