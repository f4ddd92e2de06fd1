-- Locks the row so that counting is exact; only while the lease and the grant are still the caller's.
SELECT attempts, counted, counted_at, failed_at, exhausted, kit.now() AS read_at
FROM connect.credentials
WHERE environment_id = $1 AND connection_id = $2 AND lease_holder = $3 AND grant_print = $4
FOR UPDATE
