-- Follows the erasing of an environment; repeating it changes nothing.
WITH sessions AS (DELETE FROM connect.sessions WHERE environment_id = $1),
    states AS (DELETE FROM connect.oauth_states WHERE environment_id = $1),
    devices AS (DELETE FROM connect.device_authorizations WHERE environment_id = $1),
    installations AS (DELETE FROM connect.installations WHERE environment_id = $1)
DELETE FROM connect.credentials WHERE environment_id = $1
