-- Replaces the wrapping of the platform's own keys locked by this transaction.
UPDATE vault.system_keys k SET kek_id = $1, wrapped = n.wrapped
FROM unnest($2::text[], $3::bytea[]) AS n (name, wrapped)
WHERE k.name = n.name
