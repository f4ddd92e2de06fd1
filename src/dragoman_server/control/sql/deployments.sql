-- An environment's deployments, the newest first.
SELECT id, environment_id, created_at, details FROM control.deployments WHERE environment_id = $1
ORDER BY created_at DESC LIMIT $2
