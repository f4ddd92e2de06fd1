-- The numbers of an integration's living connections.
SELECT coalesce(array_agg(id), '{}') FROM control.connections
WHERE environment_id = $1 AND integration_id = $2 AND deleted_at IS NULL
