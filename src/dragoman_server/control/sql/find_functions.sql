-- The functions of one name in an integration, of any type.
SELECT id, environment_id, unique_key, name, type, deployment_id, manifest, enabled, last_deployed, frequency_override, version FROM control.live_functions WHERE environment_id = $1 AND unique_key = $2 AND name = $3 ORDER BY type
