-- Transaction B: compare-and-set on the grant that was used, whoever holds the lease: a late holder may carry the only
-- valid token, and a reconnect (another grant) wins. With an unchanged grant the later token wins. Safe to repeat.
-- Of an ended credential it is the newest grant, the one to revoke.
UPDATE connect.credentials
SET sealed = $4, data_key_id = $5, version = version + 1, grant_print = $6, issued_at = $7, expires_at = $8,
    stale_at = $9, due_at = CASE WHEN ended_at IS NULL THEN $10::timestamptz END, learned_life = $11, attempts = 0, counted = 0, counted_at = NULL, failed_at = NULL,
    exhausted = false, refreshed_at = kit.now(), intent_grant = NULL, intent_at = NULL,
    lease_until = CASE WHEN lease_holder = $12 THEN NULL ELSE lease_until END,
    lease_holder = CASE WHEN lease_holder = $12 THEN NULL ELSE lease_holder END
WHERE environment_id = $1 AND connection_id = $2 AND grant_print = $3
    AND (grant_print IS DISTINCT FROM $6 OR issued_at <= $7)
RETURNING version
