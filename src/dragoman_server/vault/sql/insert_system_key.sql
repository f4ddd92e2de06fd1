-- Adds a key of the platform's own. Safe with many starters: the first one wins, the others read its choice.
INSERT INTO vault.system_keys (name, kek_id, wrapped) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING
