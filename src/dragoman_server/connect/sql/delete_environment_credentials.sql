-- Follows the deletion of an environment; repeating it changes nothing.
DELETE FROM connect.credentials WHERE environment_id = $1
