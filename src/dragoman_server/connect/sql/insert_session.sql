-- The hash is of 256 random bits; a clash would fail on the unique index.
INSERT INTO connect.sessions (id, environment_id, account_id, token_hash, options, expires_at)
VALUES ($1, $2, $3, $4, $5, kit.now() + $6) RETURNING expires_at
