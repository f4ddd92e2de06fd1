-- Locks living connections of an integration in one order, so that two callers never deadlock.
SELECT c.id, c.connection_id FROM control.connections c
WHERE c.environment_id = $1 AND c.integration_id = $2 AND c.connection_id = ANY ($3::text[]) AND c.deleted_at IS NULL
ORDER BY c.id FOR UPDATE
