-- Removes the variables of an environment that are not among those named.
DELETE FROM control.variables WHERE environment_id = $1 AND name <> ALL ($2::text[])
