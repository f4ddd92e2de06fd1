-- Environments whose time of grace after deletion is over.
SELECT id FROM control.environments WHERE deleted_at < kit.now() - $1::interval ORDER BY id LIMIT 10
