-- Only the holder gives it back; nothing was sent, so the intent goes too.
UPDATE connect.credentials SET lease_holder = NULL, lease_until = NULL, intent_grant = NULL, intent_at = NULL
WHERE environment_id = $1 AND connection_id = $2 AND lease_holder = $3
