-- What a page of connections shows about their credentials; one indexed look-up each, no lock.
SELECT connection_id, mode, expires_at, refreshed_at, failed_at, attempts, exhausted FROM connect.credentials
WHERE environment_id = $1 AND connection_id = ANY ($2::bigint[])
