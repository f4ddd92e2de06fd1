-- One integration by its key.
SELECT id, uuid, environment_id, unique_key, provider, display_name, created_at, updated_at, forward_webhooks, config, allowed_origins, sealed FROM control.integrations WHERE environment_id = $1 AND unique_key = $2 AND deleted_at IS NULL
