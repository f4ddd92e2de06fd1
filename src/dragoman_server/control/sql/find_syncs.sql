-- Syncs of an integration ($3: of one connection, $4 and $5: of one name and variant), with their function.
SELECT id, environment_id, connection_row_id, connection_id, unique_key, function_id, name, variant, paused, frequency_override, created_at, type, deployment_id, manifest, enabled, last_deployed, function_frequency, version FROM control.live_syncs
WHERE environment_id = $1 AND unique_key = $2 AND ($3::bigint IS NULL OR connection_row_id = $3)
    AND ($4::text IS NULL OR name = $4) AND ($5::text IS NULL OR variant = $5)
ORDER BY connection_row_id, name, variant
