-- Serializes the making of a connection's streams with its erasure, to the end of the transaction.
SELECT pg_advisory_xact_lock(7241002, ($1::bigint % 2147483647)::int)
