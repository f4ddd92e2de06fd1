-- Makes a connection or brings the living one of that id up to date; NULL leaves a value as it is. The share lock on
-- the integration makes this and its deletion take turns; nothing comes back when it is gone.
WITH parent AS (
    SELECT id FROM control.integrations WHERE environment_id = $1 AND id = $2 AND deleted_at IS NULL FOR SHARE
)
INSERT INTO control.connections AS c
    (environment_id, integration_id, connection_id, uuid, connection_config, metadata, tags, end_user,
     webhook_url_override, pending)
SELECT $1, p.id, $3, $4, coalesce($5::jsonb, '{}'), $6::jsonb, coalesce($7::jsonb, '{}'), $8::jsonb, nullif($9, ''), $10
FROM parent p
ON CONFLICT (environment_id, integration_id, connection_id) WHERE deleted_at IS NULL DO UPDATE SET
    connection_config = c.connection_config || coalesce($5::jsonb, '{}'),
    metadata = coalesce($6::jsonb, c.metadata),
    tags = coalesce($7::jsonb, c.tags),
    end_user = coalesce($8::jsonb, c.end_user),
    webhook_url_override = CASE WHEN $9 IS NULL THEN c.webhook_url_override ELSE nullif($9, '') END,
    updated_at = kit.now()
RETURNING c.id, c.uuid, c.environment_id, c.integration_id, c.connection_id, c.connection_config, c.metadata, c.tags,
    c.end_user, c.webhook_url_override, c.errors, c.created_at, c.updated_at, c.last_fetched_at, c.pending, xmax = 0 AS created
