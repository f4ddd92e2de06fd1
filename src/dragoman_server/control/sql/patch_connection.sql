-- Changes what is given of a connection; NULL leaves a value as it is, an empty address removes the override.
UPDATE control.connections SET tags = coalesce($3::jsonb, tags), end_user = coalesce($4::jsonb, end_user),
    webhook_url_override = CASE WHEN $5::text IS NULL THEN webhook_url_override ELSE nullif($5, '') END,
    updated_at = kit.now()
WHERE environment_id = $1 AND id = $2 AND deleted_at IS NULL
