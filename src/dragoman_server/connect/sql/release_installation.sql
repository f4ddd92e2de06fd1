-- What came is kept and used later; with $3 it was refused for good, and another event may come.
UPDATE connect.installations
SET claimed_until = NULL,
    sealed = CASE WHEN $3 THEN NULL ELSE sealed END,
    data_key_id = CASE WHEN $3 THEN NULL ELSE data_key_id END,
    received_at = CASE WHEN $3 THEN NULL ELSE received_at END
WHERE environment_id = $1 AND connection_id = $2
