-- Overrides (or with NULL restores) a function's declared frequency.
UPDATE control.functions SET frequency_override = $3 WHERE environment_id = $1 AND id = $2 AND deleted_at IS NULL
