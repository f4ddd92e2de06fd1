-- One indexed row, without a lock; whoever acts on it checks the version again.
SELECT connection_uuid, sealed, version, grant_print, issued_at, stale_at, due_at, learned_life, attempts, counted,
    counted_at, failed_at, exhausted, refreshed_at, lease_holder, lease_until, kit.now() AS read_at
FROM connect.credentials WHERE environment_id = $1 AND connection_id = $2 AND ended_at IS NULL
