-- Removes what is left of an environment that was deleted for good.
DELETE FROM control.connections WHERE environment_id = $1
