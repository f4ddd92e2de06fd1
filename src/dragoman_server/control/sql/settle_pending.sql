-- A pending connection becomes complete once: of two at once, the second finds it complete already.
UPDATE control.connections SET pending = false, connection_config = connection_config - 'pending'
WHERE environment_id = $1 AND integration_id = $2 AND connection_id = $3 AND deleted_at IS NULL AND pending
