-- An environment's keys, the oldest first.
SELECT k.id, k.kind, k.account_id, k.environment_id, k.display_name, k.scopes, k.last_used_at, k.created_at FROM control.api_keys k WHERE k.environment_id = $1 ORDER BY k.id
