-- What happened to a delivery, in order; reads only.
SELECT a.number, a.at, a.status, a.duration_ms, a.error, a.excerpt FROM webhooks.attempts a
WHERE a.environment_id = $1 AND a.delivery_id = $2 ORDER BY a.number
