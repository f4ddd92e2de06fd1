-- An environment's sealed webhook signing key, and the one before it while it still counts.
SELECT signing_key,
    CASE WHEN signing_key_rotated_at > kit.now() - interval '5 minutes' THEN previous_signing_key END AS previous
FROM control.environments WHERE id = $1 AND deleted_at IS NULL
