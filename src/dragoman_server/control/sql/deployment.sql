-- One deployment of an environment.
SELECT id, environment_id, created_at, details FROM control.deployments WHERE environment_id = $1 AND id = $2
