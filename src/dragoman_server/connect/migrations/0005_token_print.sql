-- A keyed hash of the token of a grant that cannot be renewed: some vendors give the same token to whoever connects again,
-- and it must not be revoked while another connection lives on it. Null for what was stored before.
ALTER TABLE connect.credentials ADD COLUMN token_print bytea;
