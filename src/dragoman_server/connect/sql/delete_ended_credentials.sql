-- The provider was told, or nothing is owed; repeating it changes nothing.
DELETE FROM connect.credentials
WHERE environment_id = $1 AND connection_id = ANY ($2::bigint[]) AND ended_at IS NOT NULL
