-- A batch to seal anew, without a lock: the write compares.
SELECT connection_id, connection_uuid, sealed FROM connect.credentials
WHERE environment_id = $1 AND data_key_id = $2 ORDER BY connection_id LIMIT $3
