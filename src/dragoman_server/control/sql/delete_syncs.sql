-- Removes syncs of an environment.
DELETE FROM control.syncs WHERE environment_id = $1 AND id = ANY ($2::uuid[]) RETURNING id
