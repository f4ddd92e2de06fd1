-- By a keyed hash of the token: whoever knows the token names the environment_id. One indexed row.
SELECT id, environment_id, account_id, options, expires_at, kit.now() AS read_at FROM connect.sessions
WHERE token_hash = $1 AND expires_at > kit.now()
