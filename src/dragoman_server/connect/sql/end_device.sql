-- The first end stays; the device code goes with it.
UPDATE connect.device_authorizations
SET outcome = $3, sealed = NULL, data_key_id = NULL, polling_until = NULL
WHERE environment_id = $1 AND id = $2 AND outcome IS NULL
