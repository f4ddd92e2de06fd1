-- Adds the platform's own data key (environment 0) once. Safe with many starters: the first one wins.
INSERT INTO vault.data_keys (id, environment_id, kek_id, wrapped) OVERRIDING SYSTEM VALUE VALUES ($1, $2, $3, $4)
ON CONFLICT (environment_id) WHERE retired_at IS NULL DO NOTHING
