-- The id is a fresh uuid; a clash would fail on the primary key.
INSERT INTO connect.device_authorizations
    (id, environment_id, session_id, sealed, data_key_id, interval_seconds, expires_at)
VALUES ($1, $2, $3, $4, $5, $6, kit.now() + $7)
RETURNING kit.now() AS begun_at
