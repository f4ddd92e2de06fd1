-- Sets top-level keys in the metadata of connections that this transaction has locked.
UPDATE control.connections SET metadata = coalesce(metadata, '{}') || $3::jsonb, updated_at = kit.now()
WHERE environment_id = $1 AND id = ANY ($2::bigint[])
