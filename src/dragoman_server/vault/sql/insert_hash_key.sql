-- Adds an environment's hash key, once and for ever.
INSERT INTO vault.hash_keys (environment_id, kek_id, wrapped) VALUES ($1, $2, $3)
