-- An environment's functions ($2: of one integration), by integration, type and name.
SELECT id, environment_id, unique_key, name, type, deployment_id, manifest, enabled, last_deployed, frequency_override, version FROM control.live_functions WHERE environment_id = $1 AND ($2::text IS NULL OR unique_key = $2)
ORDER BY unique_key, type, name
