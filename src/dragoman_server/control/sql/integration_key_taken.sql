-- Whether a key is in use in an environment.
SELECT EXISTS (SELECT FROM control.integrations WHERE environment_id = $1 AND unique_key = $2 AND deleted_at IS NULL)
