-- Starts runs, or later attempts of them. An attempt that is not newer than the one known changes nothing and is not
-- answered: its task was taken over.
INSERT INTO control.runs AS r
    (id, environment_id, sync_id, connection_row_id, function_name, kind, attempt, state, checkpoint_from, operation_id)
SELECT n.id, n.environment_id, n.sync_id, n.connection_row_id, n.function_name, n.kind, n.attempt, 'running',
    n.checkpoint_from::jsonb, n.operation_id
FROM unnest($1::uuid[], $2::int[], $3::uuid[], $4::bigint[], $5::text[], $6::text[], $7::int[], $8::text[], $9::uuid[])
    AS n (id, environment_id, sync_id, connection_row_id, function_name, kind, attempt, checkpoint_from, operation_id)
ORDER BY n.id
ON CONFLICT (id) DO UPDATE SET attempt = excluded.attempt, state = 'running', started_at = excluded.started_at,
    finished_at = NULL, error = NULL, checkpoint_from = excluded.checkpoint_from, operation_id = excluded.operation_id
    WHERE r.attempt < excluded.attempt AND r.environment_id = excluded.environment_id
RETURNING r.id
