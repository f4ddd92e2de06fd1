-- Repeating it changes nothing.
DELETE FROM connect.sessions WHERE environment_id = $1 AND id = $2
