-- Switches a function of an environment on or off.
UPDATE control.functions SET enabled = $3 WHERE environment_id = $1 AND id = $2 AND deleted_at IS NULL
