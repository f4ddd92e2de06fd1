-- True also for one that is gone.
SELECT NOT EXISTS (
    SELECT FROM connect.device_authorizations WHERE environment_id = $1 AND id = $2 AND outcome IS NULL)
