-- Makes an integration; answers nothing when the environment has one with that key.
INSERT INTO control.integrations
    (uuid, environment_id, unique_key, provider, display_name, forward_webhooks, config, allowed_origins, sealed)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
ON CONFLICT (environment_id, unique_key) WHERE deleted_at IS NULL DO NOTHING
RETURNING id, uuid, environment_id, unique_key, provider, display_name, created_at, updated_at, forward_webhooks, config, allowed_origins, sealed
