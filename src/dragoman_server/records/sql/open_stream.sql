-- Makes a stream on first use. Safe with many writers (the first wins) and with an erasure, under lock_connection.
INSERT INTO records.streams (environment_id, connection_row_id, connection_uuid, model, variant)
SELECT $1, $2, $3, $4, $5
WHERE NOT EXISTS (SELECT FROM records.erased e WHERE e.environment_id = $1 AND e.connection_row_id = $2)
ON CONFLICT DO NOTHING
