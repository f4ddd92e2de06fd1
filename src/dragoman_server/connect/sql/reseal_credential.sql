-- Compares the ciphertext it replaces, so a refresh or reconnect meanwhile wins. Nothing a reader sees changes.
UPDATE connect.credentials SET sealed = $4, data_key_id = $5
WHERE environment_id = $1 AND connection_id = $2 AND sealed = $3
