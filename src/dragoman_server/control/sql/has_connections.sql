-- Whether an integration has living connections.
SELECT EXISTS (SELECT FROM control.connections WHERE environment_id = $1 AND integration_id = $2 AND deleted_at IS NULL)
