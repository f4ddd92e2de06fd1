-- Leases due facts of one kind, of every environment. Safe with many relays: a row another one holds is skipped, and a
-- lease that ran out (a relay died) is due again. The attempt and the strike count before the handling, so that a fact
-- that kills its relay is parked as well.
UPDATE outbox.facts AS f
SET leased = true, due_at = kit.now() + $3::interval, attempts = f.attempts + 1, strikes = f.strikes + 1
WHERE f.id = ANY (ARRAY (
    SELECT d.id FROM outbox.facts d
    WHERE d.kind = $1 AND d.state = 'waiting' AND d.due_at <= kit.now()
    ORDER BY d.due_at LIMIT $2 FOR UPDATE SKIP LOCKED
))
RETURNING f.id, f.kind, f.environment_id, f.key, f.body, f.attempts, f.strikes, f.version
