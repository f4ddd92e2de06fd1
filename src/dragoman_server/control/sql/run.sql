-- One run of an environment.
SELECT id, environment_id, sync_id, connection_row_id, function_name, kind, attempt, state, started_at, finished_at, result, checkpoint_from, checkpoint_to, error, operation_id FROM control.runs WHERE environment_id = $1 AND id = $2
