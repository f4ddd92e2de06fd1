-- Gives back facts whose handling failed: later, or parked. Fenced by the attempt: a relay whose lease ran out, while
-- another one took over, changes nothing. A fact put again meanwhile gets its fresh strikes and is not parked.
UPDATE outbox.facts AS f SET
    leased = false, due_at = kit.now() + n.wait, last_error = n.error,
    state = CASE WHEN n.park AND f.version = n.version THEN 'parked' ELSE f.state END,
    strikes = CASE WHEN n.forgive OR f.version <> n.version THEN 0 ELSE f.strikes END
FROM unnest($1::int[], $2::bigint[], $3::int[], $4::int[], $5::interval[], $6::text[], $7::boolean[], $8::boolean[])
    AS n (environment_id, id, attempts, version, wait, error, park, forgive)
WHERE f.environment_id = n.environment_id AND f.id = n.id AND f.attempts = n.attempts AND f.leased
