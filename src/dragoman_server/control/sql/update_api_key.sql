-- Renames a key of an environment or gives it other scopes; NULL leaves a value as it is.
UPDATE control.api_keys AS k SET display_name = coalesce($3, k.display_name), scopes = coalesce($4, k.scopes)
WHERE k.environment_id IS NOT DISTINCT FROM $1 AND k.id = $2 AND k.account_id = $5
RETURNING k.id, k.kind, k.account_id, k.environment_id, k.display_name, k.scopes, k.last_used_at, k.created_at, k.hash
