-- Stores an environment's signing key under another data key; the row is locked by this transaction.
UPDATE control.environments SET signing_key = $2 WHERE id = $1
