-- Variables of an environment sealed under a data key, locked for resealing.
SELECT name, value FROM control.variables WHERE environment_id = $1 AND substr(value, 1, 5) = $2
ORDER BY name LIMIT $3 FOR UPDATE
