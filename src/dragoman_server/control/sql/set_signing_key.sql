-- Replaces an environment's sealed webhook signing key.
UPDATE control.environments SET signing_key = $2 WHERE id = $1 AND deleted_at IS NULL
