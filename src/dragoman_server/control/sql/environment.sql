-- One living environment; its id is the environment_id of everything in it.
SELECT id, uuid, account_id, name, is_production, webhooks, settings, created_at FROM control.environments WHERE id = $1 AND deleted_at IS NULL
