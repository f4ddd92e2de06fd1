-- Follows read_failures in its transaction, under its row lock. The provider answered: the intent is settled.
UPDATE connect.credentials
SET attempts = $4, counted = $5, counted_at = $6, failed_at = $7, exhausted = $8, due_at = $9,
    lease_holder = NULL, lease_until = NULL, intent_grant = NULL, intent_at = NULL
WHERE environment_id = $1 AND connection_id = $2 AND lease_holder = $3
