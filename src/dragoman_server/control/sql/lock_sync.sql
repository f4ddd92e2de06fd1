-- Locks one sync of an environment.
SELECT id FROM control.syncs WHERE environment_id = $1 AND id = $2 FOR UPDATE
