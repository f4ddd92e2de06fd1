-- Stores an integration's secrets under another data key; the row is locked by this transaction.
UPDATE control.integrations SET sealed = $3 WHERE environment_id = $1 AND id = $2
