-- Destroys a subject's salt, also of a subject never used, so that none can be made later.
INSERT INTO vault.salts (environment_id, subject, salt, shredded_at) VALUES ($1, $2, NULL, kit.now())
ON CONFLICT (environment_id, subject) DO UPDATE SET salt = NULL, shredded_at = kit.now()
