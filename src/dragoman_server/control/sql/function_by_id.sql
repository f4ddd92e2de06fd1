-- One function by its number.
SELECT id, environment_id, unique_key, name, type, deployment_id, manifest, enabled, last_deployed, frequency_override, version FROM control.live_functions WHERE environment_id = $1 AND id = $2
