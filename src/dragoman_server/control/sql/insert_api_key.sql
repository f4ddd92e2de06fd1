-- Stores a key's keyed hash; the key itself is never stored. environment_id is NULL for an account's key.
INSERT INTO control.api_keys AS k (kind, account_id, environment_id, display_name, scopes, hash)
VALUES ($1, $2, $3, $4, $5, $6)
RETURNING k.id, k.kind, k.account_id, k.environment_id, k.display_name, k.scopes, k.last_used_at, k.created_at
