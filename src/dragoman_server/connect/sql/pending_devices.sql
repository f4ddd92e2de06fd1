-- How many codes of a session wait for their person. Reads only.
SELECT count(*) FROM connect.device_authorizations
WHERE environment_id = $1 AND session_id = $2 AND outcome IS NULL AND expires_at > kit.now()
