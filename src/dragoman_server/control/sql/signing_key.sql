-- An environment's sealed webhook signing key.
SELECT signing_key FROM control.environments WHERE id = $1 AND deleted_at IS NULL
