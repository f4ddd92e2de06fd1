-- Transaction A: the lease and the intent in one statement, so two callers cannot both win (row lock, then re-check).
-- For one lease length after Postgres started a lease counts as held: its holder could not renew it meanwhile.
WITH earlier AS (
    SELECT intent_grant FROM connect.credentials WHERE environment_id = $1 AND connection_id = $2)
UPDATE connect.credentials
SET lease_holder = $3, lease_until = kit.now() + $5, intent_grant = grant_print, intent_at = kit.now()
WHERE environment_id = $1 AND connection_id = $2 AND version = $4 AND grant_print IS NOT NULL AND ended_at IS NULL
    AND (lease_until IS NULL
        OR (lease_until <= kit.now() AND pg_postmaster_start_time() <= statement_timestamp() - $5::interval))
RETURNING connection_uuid, sealed, version, grant_print, issued_at, stale_at, due_at, learned_life, attempts, counted,
    counted_at, failed_at, exhausted, refreshed_at, lease_holder, lease_until, kit.now() AS read_at,
    coalesce((SELECT intent_grant = connect.credentials.grant_print FROM earlier), false) AS repeated
