-- Deletes an integration's functions.
UPDATE control.functions SET deleted_at = kit.now() WHERE environment_id = $1 AND integration_id = $2 AND deleted_at IS NULL
