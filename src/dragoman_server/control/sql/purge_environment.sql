-- Removes a deleted environment itself (its id is the environment_id), once all in it is gone.
DELETE FROM control.environments WHERE id = $1 AND deleted_at IS NOT NULL
