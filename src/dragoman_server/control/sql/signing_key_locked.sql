-- An environment's sealed signing keys (its id is the environment_id), locked for resealing.
SELECT signing_key, previous_signing_key AS previous FROM control.environments WHERE id = $1 FOR UPDATE
