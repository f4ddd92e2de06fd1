-- Revokes a key of an environment (or, with NULL, of the account itself).
DELETE FROM control.api_keys WHERE environment_id IS NOT DISTINCT FROM $1 AND id = $2 AND account_id = $3 RETURNING hash
