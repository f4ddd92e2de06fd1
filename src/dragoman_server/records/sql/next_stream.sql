-- The environment's stream at or after a key; only reads.
SELECT key, connection_uuid FROM records.streams WHERE environment_id = $1 AND key >= $2 ORDER BY key LIMIT 1
