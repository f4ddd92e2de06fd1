-- In key order. A tick that holds a row makes its task first; the caller cancels by the lock keys returned.
-- Keys and ids are the engine's own, unique over all environments.
WITH held AS MATERIALIZED (
    SELECT s.key FROM orchestrator.schedules s WHERE s.key = ANY ($1::text[]) ORDER BY s.key FOR UPDATE
)
DELETE FROM orchestrator.schedules s WHERE s.key = ANY (ARRAY (SELECT h.key FROM held h)) RETURNING s.lock_key
