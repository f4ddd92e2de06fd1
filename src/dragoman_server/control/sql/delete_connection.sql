-- Deletes a connection softly: its id is free at once, the row goes after its time of grace. One of two deleters wins.
UPDATE control.connections SET deleted_at = kit.now(), updated_at = kit.now()
WHERE environment_id = $1 AND id = $2 AND deleted_at IS NULL
