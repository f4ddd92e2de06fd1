-- Removes all syncs of connections of an environment.
DELETE FROM control.syncs WHERE environment_id = $1 AND connection_row_id = ANY ($2::bigint[]) RETURNING id
