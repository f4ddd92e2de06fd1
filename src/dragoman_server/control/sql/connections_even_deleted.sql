-- What deleted connections were called and configured with; gone after their time of grace.
SELECT id, connection_id, connection_config FROM control.connections WHERE environment_id = $1 AND id = ANY ($2::bigint[])
