-- Some that this turn has not tried yet, without a lock: one fact per integration leads here, and telling a provider
-- twice does no harm. One whose renewal is under way waits for it.
SELECT connection_id, connection_uuid, sealed, ended_at, kit.now() AS read_at FROM connect.credentials
WHERE environment_id = $1 AND ended_by = $2 AND ended_at IS NOT NULL
    AND (tried_at IS NULL OR tried_at < $3) AND (lease_until IS NULL OR lease_until <= kit.now())
ORDER BY connection_id LIMIT $4
