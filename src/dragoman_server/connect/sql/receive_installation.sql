-- The first event stays until it was used or refused.
UPDATE connect.installations SET sealed = $3, data_key_id = $4, received_at = kit.now()
WHERE environment_id = $1 AND connection_id = $2 AND sealed IS NULL
