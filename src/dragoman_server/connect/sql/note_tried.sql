-- The provider could not be told; repeating it changes nothing.
UPDATE connect.credentials SET tried_at = kit.now()
WHERE environment_id = $1 AND connection_id = ANY ($2::bigint[]) AND ended_at IS NOT NULL
