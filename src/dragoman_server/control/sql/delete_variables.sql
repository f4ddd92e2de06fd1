-- Removes variables of an environment.
DELETE FROM control.variables WHERE environment_id = $1 AND name = ANY ($2::text[])
