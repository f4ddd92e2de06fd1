-- A refresh under way then finds no row to compare with and changes nothing.
DELETE FROM connect.credentials WHERE environment_id = $1 AND connection_id = $2
