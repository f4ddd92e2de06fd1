-- Replaces what may change of an integration that this transaction has locked.
UPDATE control.integrations SET unique_key = $3, display_name = $4, forward_webhooks = $5, config = $6,
    allowed_origins = $7, sealed = $8, updated_at = kit.now()
WHERE environment_id = $1 AND id = $2
RETURNING id, uuid, environment_id, unique_key, provider, display_name, created_at, updated_at, forward_webhooks, config, allowed_origins, sealed
