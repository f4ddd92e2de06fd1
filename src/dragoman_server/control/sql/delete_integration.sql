-- Deletes an integration that this transaction has locked; its key is free at once.
UPDATE control.integrations SET deleted_at = kit.now() WHERE environment_id = $1 AND id = $2 AND deleted_at IS NULL
