-- One integration by its number, also one that was deleted: its provider may still have to be told something.
SELECT id, uuid, environment_id, unique_key, provider, display_name, created_at, updated_at, forward_webhooks, config, allowed_origins, sealed FROM control.integrations WHERE environment_id = $1 AND id = $2
