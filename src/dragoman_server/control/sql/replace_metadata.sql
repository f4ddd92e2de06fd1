-- Replaces the metadata of connections that this transaction has locked.
UPDATE control.connections SET metadata = $3, updated_at = kit.now()
WHERE environment_id = $1 AND id = ANY ($2::bigint[])
