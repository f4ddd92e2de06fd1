-- The latest run of each sync given: one index probe each.
SELECT r.* FROM unnest($2::uuid[]) AS s (sync_id) CROSS JOIN LATERAL (
    SELECT id, environment_id, sync_id, connection_row_id, function_name, kind, attempt, state, started_at, finished_at, result, checkpoint_from, checkpoint_to, error, operation_id FROM control.runs r WHERE r.environment_id = $1 AND r.sync_id = s.sync_id
    ORDER BY r.started_at DESC LIMIT 1
) r
