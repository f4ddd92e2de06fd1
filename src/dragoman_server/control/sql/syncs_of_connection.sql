-- All syncs of a connection, with their function.
SELECT id, environment_id, connection_row_id, connection_id, unique_key, function_id, name, variant, paused, frequency_override, created_at, type, deployment_id, manifest, enabled, last_deployed, function_frequency, version FROM control.live_syncs WHERE environment_id = $1 AND connection_row_id = $2 ORDER BY name, variant
