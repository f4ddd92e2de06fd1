-- Removes all syncs that run one of the functions given.
DELETE FROM control.syncs WHERE environment_id = $1 AND function_id = ANY ($2::int[]) RETURNING id
