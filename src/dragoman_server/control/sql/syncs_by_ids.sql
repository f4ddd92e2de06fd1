-- Living syncs of an environment by their ids, with their function.
SELECT id, environment_id, connection_row_id, connection_id, unique_key, function_id, name, variant, paused, frequency_override, created_at, type, deployment_id, manifest, enabled, last_deployed, function_frequency, version FROM control.live_syncs WHERE environment_id = $1 AND id = ANY ($2::uuid[])
