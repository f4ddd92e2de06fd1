-- Changes what is given of an environment; NULL leaves a value as it is.
UPDATE control.environments SET name = coalesce($2, name), is_production = coalesce($3, is_production),
    webhooks = coalesce($4::jsonb, webhooks), settings = settings || coalesce($5::jsonb, '{}')
WHERE id = $1 AND deleted_at IS NULL
RETURNING id, uuid, account_id, name, is_production, webhooks, settings, created_at
