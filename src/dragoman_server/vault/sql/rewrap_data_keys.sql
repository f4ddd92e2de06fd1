-- Replaces the wrapping of data keys locked by this transaction.
UPDATE vault.data_keys k SET kek_id = $1, wrapped = n.wrapped
FROM unnest($2::int[], $3::int[], $4::bytea[]) AS n (environment_id, id, wrapped)
WHERE k.environment_id = n.environment_id AND k.id = n.id
