-- An environment's variables, sealed, by name.
SELECT name, value FROM control.variables WHERE environment_id = $1 ORDER BY name
