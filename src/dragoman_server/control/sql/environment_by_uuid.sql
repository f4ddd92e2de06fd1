-- The living environment behind a public uuid, as in inbound webhook addresses.
SELECT id, uuid, account_id, name, is_production, webhooks, settings, created_at FROM control.environments WHERE uuid = $1 AND deleted_at IS NULL
