-- True also for one that is gone.
SELECT NOT EXISTS (
    SELECT FROM connect.installations WHERE environment_id = $1 AND connection_id = $2 AND sealed IS NOT NULL)
