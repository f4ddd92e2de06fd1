-- A person's consent or an import wins over everything: version and grant change, so any refresh under way loses its
-- compare-and-set. The row lock serializes it with them.
INSERT INTO connect.credentials AS old (environment_id, connection_id, connection_uuid, mode, sealed, data_key_id,
    grant_print, issued_at, expires_at, stale_at, due_at, used_at, token_print)
VALUES ($1, $2, $3, $4, $5, $6, $7, kit.now(), $8, $9, $10, kit.now(), $11)
ON CONFLICT (environment_id, connection_id) DO UPDATE
SET connection_uuid = excluded.connection_uuid, mode = excluded.mode, sealed = excluded.sealed,
    data_key_id = excluded.data_key_id, version = old.version + 1, grant_print = excluded.grant_print,
    issued_at = excluded.issued_at, expires_at = excluded.expires_at, stale_at = excluded.stale_at,
    due_at = excluded.due_at, learned_life = NULL, attempts = 0, counted = 0, counted_at = NULL, failed_at = NULL,
    exhausted = false, stored_at = kit.now(), refreshed_at = NULL, used_at = kit.now(),
    lease_holder = NULL, lease_until = NULL, intent_grant = NULL, intent_at = NULL, token_print = excluded.token_print
RETURNING version
