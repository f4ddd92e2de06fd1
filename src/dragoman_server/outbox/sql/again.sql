-- Returns facts that were put again while their earlier version was handled; fenced by the attempt.
UPDATE outbox.facts AS f SET leased = false, due_at = kit.now(), attempts = 0, strikes = 0
FROM unnest($1::int[], $2::bigint[], $3::int[]) AS n (environment_id, id, attempts)
WHERE f.environment_id = n.environment_id AND f.id = n.id AND f.attempts = n.attempts AND f.leased
