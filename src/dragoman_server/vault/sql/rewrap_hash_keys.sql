-- Replaces the wrapping of hash keys locked by this transaction.
UPDATE vault.hash_keys k SET kek_id = $1, wrapped = n.wrapped
FROM unnest($2::int[], $3::bytea[]) AS n (environment_id, wrapped)
WHERE k.environment_id = n.environment_id
