-- Makes an account.
INSERT INTO control.accounts (name) VALUES ($1) RETURNING id, uuid, name
