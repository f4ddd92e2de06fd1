-- Deletes an environment softly unless it is a production one; the row lock decides between this and a promotion.
UPDATE control.environments SET deleted_at = kit.now()
WHERE id = $1 AND account_id = $2 AND deleted_at IS NULL AND NOT is_production
RETURNING id
