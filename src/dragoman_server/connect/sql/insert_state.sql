-- The hash is of 256 random bits; a clash would fail on the primary key.
INSERT INTO connect.oauth_states (state_hash, environment_id, browser_hash, sealed, data_key_id, expires_at)
VALUES ($1, $2, $3, $4, $5, kit.now() + $6)
