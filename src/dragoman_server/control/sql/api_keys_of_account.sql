-- An account's own keys (environment_id is NULL), the oldest first.
SELECT k.id, k.kind, k.account_id, k.environment_id, k.display_name, k.scopes, k.last_used_at, k.created_at FROM control.api_keys k WHERE k.account_id = $1 AND k.environment_id IS NULL ORDER BY k.id
