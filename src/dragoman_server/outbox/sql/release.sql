-- Gives parked facts of an environment another series of attempts.
UPDATE outbox.facts SET state = 'waiting', due_at = kit.now(), strikes = 0, leased = false
WHERE environment_id = $1 AND id = ANY ($2::bigint[]) AND state = 'parked'
