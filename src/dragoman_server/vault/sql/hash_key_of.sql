-- An environment's hash key, wrapped.
SELECT kek_id, wrapped FROM vault.hash_keys WHERE environment_id = $1
