-- Makes an environment; answers nothing when the account has one of that name (two makers at once: one of them).
INSERT INTO control.environments (account_id, name, is_production, settings) VALUES ($1, $2, $3, $4)
ON CONFLICT (account_id, name) WHERE deleted_at IS NULL DO NOTHING
RETURNING id, uuid, account_id, name, is_production, webhooks, settings, created_at
