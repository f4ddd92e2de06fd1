-- One poller at a time: of two, the second finds the row taken. A poller that dies gives it up when its time is over.
UPDATE connect.device_authorizations SET polling_until = kit.now() + $3
WHERE environment_id = $1 AND id = $2 AND outcome IS NULL AND (polling_until IS NULL OR polling_until < kit.now())
RETURNING sealed, interval_seconds, expires_at > kit.now() AS alive, kit.now() AS read_at
