-- Adds an environment's active data key. The partial unique index refuses a second one.
INSERT INTO vault.data_keys (id, environment_id, kek_id, wrapped) OVERRIDING SYSTEM VALUE VALUES ($1, $2, $3, $4)
