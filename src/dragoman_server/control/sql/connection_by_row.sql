-- One living connection by its number.
SELECT id, uuid, environment_id, integration_id, unique_key, provider, connection_id, connection_config, metadata, tags, end_user, webhook_url_override, errors, created_at, updated_at, last_fetched_at, pending FROM control.live_connections WHERE environment_id = $1 AND id = $2
