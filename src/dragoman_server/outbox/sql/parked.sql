-- Facts of an environment that failed too often, the newest first.
SELECT id, kind, environment_id, key, attempts, coalesce(last_error, '') AS last_error, created_at
FROM outbox.facts WHERE environment_id = $1 AND state = 'parked' ORDER BY id DESC LIMIT $2
