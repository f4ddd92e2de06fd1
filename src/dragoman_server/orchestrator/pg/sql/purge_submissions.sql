-- Forget idempotency keys a week old, some at a time. Safe with many at once.
-- Serves all environments: it is the engine's own upkeep.
DELETE FROM orchestrator.submissions WHERE ctid = ANY (ARRAY (
    SELECT s.ctid FROM orchestrator.submissions s WHERE s.created_at < kit.now() - $1::interval
    ORDER BY s.created_at LIMIT $2 FOR UPDATE SKIP LOCKED))
