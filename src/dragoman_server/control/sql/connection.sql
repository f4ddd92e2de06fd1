-- One living connection by its public identity: two index probes.
SELECT id, uuid, environment_id, integration_id, unique_key, provider, connection_id, connection_config, metadata, tags, end_user, webhook_url_override, errors, created_at, updated_at, last_fetched_at, pending FROM control.live_connections WHERE environment_id = $1 AND unique_key = $2 AND connection_id = $3
