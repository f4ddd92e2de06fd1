-- What was deployed of a function, the newest first.
SELECT version, deployment_id, manifest, deployed_at FROM control.function_versions
WHERE environment_id = $1 AND function_id = $2 ORDER BY version DESC LIMIT $3
