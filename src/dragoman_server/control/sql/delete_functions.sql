-- Deletes functions of an environment; their names are free at once.
UPDATE control.functions SET deleted_at = kit.now() WHERE environment_id = $1 AND id = ANY ($2::int[]) AND deleted_at IS NULL
