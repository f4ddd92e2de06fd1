-- Living connections of an environment by their numbers.
SELECT id, uuid, environment_id, integration_id, unique_key, provider, connection_id, connection_config, metadata, tags, end_user, webhook_url_override, errors, created_at, updated_at, last_fetched_at, pending FROM control.live_connections WHERE environment_id = $1 AND id = ANY ($2::bigint[])
