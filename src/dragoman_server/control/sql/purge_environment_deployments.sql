-- Removes what is left of an environment that was deleted for good.
DELETE FROM control.deployments WHERE environment_id = $1
