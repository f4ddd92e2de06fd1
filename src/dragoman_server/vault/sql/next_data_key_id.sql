-- For any environment: a data key's id is part of what its wrapping is bound to, so it is drawn before. Gaps do no harm.
SELECT nextval(pg_get_serial_sequence('vault.data_keys', 'id'))::int
