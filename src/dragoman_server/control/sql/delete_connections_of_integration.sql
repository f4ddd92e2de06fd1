-- Deletes an integration's connections softly. None can be made meanwhile: that would need the integration's lock.
UPDATE control.connections SET deleted_at = kit.now(), updated_at = kit.now()
WHERE environment_id = $1 AND integration_id = $2 AND deleted_at IS NULL
RETURNING id, uuid, connection_id
