-- A connection that waits for its provider to say that our app was installed: it has no credential and no syncs yet.
ALTER TABLE control.connections ADD COLUMN pending boolean NOT NULL DEFAULT false;

CREATE OR REPLACE VIEW control.live_connections AS
SELECT c.id, c.uuid, c.environment_id, c.integration_id, i.unique_key, i.provider, c.connection_id,
    c.connection_config, c.metadata, c.tags, c.end_user, c.webhook_url_override, c.errors,
    c.created_at, c.updated_at, c.last_fetched_at, c.pending
FROM control.connections c
JOIN control.integrations i ON i.id = c.integration_id AND i.environment_id = c.environment_id
WHERE c.deleted_at IS NULL AND i.deleted_at IS NULL;
