-- Overrides (or with NULL restores) a sync's frequency.
UPDATE control.syncs SET frequency_override = $3 WHERE environment_id = $1 AND id = $2
