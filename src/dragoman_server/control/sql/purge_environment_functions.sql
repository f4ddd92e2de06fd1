-- Removes what is left of an environment that was deleted for good.
DELETE FROM control.functions WHERE environment_id = $1
