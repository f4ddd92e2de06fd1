-- Ends the use of an environment's active data key for new ciphertexts; it still opens old ones.
-- The row lock makes two rotations of one environment take turns.
UPDATE vault.data_keys SET retired_at = kit.now() WHERE environment_id = $1 AND retired_at IS NULL RETURNING id
