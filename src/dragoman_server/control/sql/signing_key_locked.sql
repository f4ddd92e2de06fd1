-- An environment's sealed signing key (its id is the environment_id), locked for resealing.
SELECT signing_key FROM control.environments WHERE id = $1 FOR UPDATE
