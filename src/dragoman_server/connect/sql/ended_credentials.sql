-- Some that this turn has not tried yet, without a lock: one fact per integration leads here, and telling a provider
-- twice does no harm. One whose renewal is under way waits for it.
-- `shared`: a living connection holds the very same grant, as where somebody connected twice.
SELECT c.connection_id, c.connection_uuid, c.sealed, c.ended_at, kit.now() AS read_at, EXISTS (
        SELECT FROM connect.credentials o
        WHERE o.environment_id = $1 AND (o.grant_print = c.grant_print OR o.token_print = c.token_print)
            AND o.ended_at IS NULL) AS shared
FROM connect.credentials c
WHERE c.environment_id = $1 AND c.ended_by = $2 AND c.ended_at IS NOT NULL
    AND (c.tried_at IS NULL OR c.tried_at < $3) AND (c.lease_until IS NULL OR c.lease_until <= kit.now())
ORDER BY c.connection_id LIMIT $4
