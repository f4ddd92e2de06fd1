-- Keeps what was deployed: one row per function of the environment that changed.
INSERT INTO control.function_versions (environment_id, function_id, version, deployment_id, manifest)
SELECT environment_id, id, version, deployment_id, manifest FROM control.functions
WHERE environment_id = $1 AND id = ANY ($2::int[])
