-- Stores an environment's signing keys under another data key; the row is locked by this transaction.
UPDATE control.environments SET signing_key = $2, previous_signing_key = $3 WHERE id = $1
