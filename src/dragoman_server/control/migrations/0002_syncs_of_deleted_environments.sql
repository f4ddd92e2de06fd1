-- A deleted environment has no living syncs: whoever brings schedules in step then ends theirs.
CREATE OR REPLACE VIEW control.live_syncs AS
SELECT s.id, s.environment_id, s.connection_row_id, c.connection_id, f.unique_key, s.function_id, f.name, s.variant,
    s.paused, s.frequency_override, s.created_at,
    f.type, f.deployment_id, f.manifest, f.enabled, f.last_deployed, f.frequency_override AS function_frequency, f.version
FROM control.syncs s
JOIN control.connections c ON c.id = s.connection_row_id AND c.environment_id = s.environment_id
JOIN control.live_functions f ON f.id = s.function_id AND f.environment_id = s.environment_id
JOIN control.environments e ON e.id = s.environment_id
WHERE c.deleted_at IS NULL AND e.deleted_at IS NULL;
