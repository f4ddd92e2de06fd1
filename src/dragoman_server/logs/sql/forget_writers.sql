-- Forget writers silent for a day; their operations are timed out long before.
DELETE FROM logs.writers WHERE beat_at < kit.now() - interval '1 day'
