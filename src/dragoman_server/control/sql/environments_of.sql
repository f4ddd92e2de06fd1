-- An account's living environments, the oldest first.
SELECT id, uuid, account_id, name, is_production, webhooks, settings, created_at FROM control.environments WHERE account_id = $1 AND deleted_at IS NULL ORDER BY id
