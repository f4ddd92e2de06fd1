-- One account.
SELECT id, uuid, name FROM control.accounts WHERE id = $1
