-- All accounts, the oldest first.
SELECT id, uuid, name FROM control.accounts ORDER BY id
