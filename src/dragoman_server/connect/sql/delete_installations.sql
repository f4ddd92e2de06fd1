-- Repeating it changes nothing.
DELETE FROM connect.installations WHERE environment_id = $1 AND connection_id = ANY ($2::bigint[])
