-- Replaces an environment's sealed webhook signing key; the old one is kept beside it, for the time receivers need.
UPDATE control.environments
SET signing_key = $2, previous_signing_key = signing_key, signing_key_rotated_at = kit.now()
WHERE id = $1 AND deleted_at IS NULL
