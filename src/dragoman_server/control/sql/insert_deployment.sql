-- Notes a deployment; the same archive again is the same deployment of the environment.
INSERT INTO control.deployments (environment_id, id, details) VALUES ($1, $2, $3)
ON CONFLICT (environment_id, id) DO UPDATE SET details = excluded.details
RETURNING id, environment_id, created_at, details
