-- Integrations of an environment sealed under a data key, deleted ones too, locked for resealing.
SELECT id, uuid, sealed FROM control.integrations WHERE environment_id = $1 AND substr(sealed, 1, 5) = $2
ORDER BY id LIMIT $3 FOR UPDATE
