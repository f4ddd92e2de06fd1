-- The key behind a keyed hash, of any environment_id, unless its environment was deleted.
SELECT k.id, k.kind, k.account_id, k.environment_id, k.display_name, k.scopes, k.last_used_at, k.created_at FROM control.api_keys k LEFT JOIN control.environments e ON e.id = k.environment_id
WHERE k.hash = $1 AND (k.environment_id IS NULL OR e.deleted_at IS NULL)
