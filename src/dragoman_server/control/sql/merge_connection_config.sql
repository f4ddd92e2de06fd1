-- Sets top-level keys in a connection's configuration; the last writer of a key wins.
UPDATE control.connections SET connection_config = connection_config || $3::jsonb, updated_at = kit.now()
WHERE environment_id = $1 AND id = $2 AND deleted_at IS NULL
