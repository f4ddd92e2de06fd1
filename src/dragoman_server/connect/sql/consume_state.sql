-- Look-up and consumption are one statement: of two callbacks with one state only one gets the row. The browser's
-- secret is part of the key, so nobody else burns a person's state. Names the environment_id it belongs to.
DELETE FROM connect.oauth_states WHERE state_hash = $1 AND browser_hash = $2
RETURNING environment_id, sealed, expires_at > kit.now() AS alive, kit.now() AS read_at
