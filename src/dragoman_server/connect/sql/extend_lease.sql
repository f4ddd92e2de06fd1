-- Only the holder moves its lease, so a late one changes nothing.
UPDATE connect.credentials SET lease_until = kit.now() + $4
WHERE environment_id = $1 AND connection_id = $2 AND lease_holder = $3
