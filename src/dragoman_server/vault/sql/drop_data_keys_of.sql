-- Shreds an environment: nothing sealed in it can be read again.
DELETE FROM vault.data_keys WHERE environment_id = $1
