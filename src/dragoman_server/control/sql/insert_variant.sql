-- Makes a variant beside the base one, which it copies its pause from; the share lock makes variants take turns with
-- each other's count only through the caller's lock on the base row.
INSERT INTO control.syncs (id, environment_id, connection_row_id, function_id, variant, paused)
SELECT $3, s.environment_id, s.connection_row_id, s.function_id, $4, s.paused
FROM control.syncs s WHERE s.environment_id = $1 AND s.id = $2
ON CONFLICT (environment_id, connection_row_id, function_id, variant) DO NOTHING
RETURNING id
