-- A subject's salt, kept on first use. Safe with many at once: the first row stands; a destroyed one stays destroyed.
INSERT INTO vault.salts (environment_id, subject, salt) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING
