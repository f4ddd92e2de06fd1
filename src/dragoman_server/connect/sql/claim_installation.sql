-- One at a time uses what came: of two, the second finds the row taken. One that dies gives it up when its time is over.
UPDATE connect.installations SET claimed_until = kit.now() + $3
WHERE environment_id = $1 AND connection_id = $2 AND sealed IS NOT NULL
    AND (claimed_until IS NULL OR claimed_until < kit.now())
RETURNING sealed, received_at, kit.now() AS read_at
