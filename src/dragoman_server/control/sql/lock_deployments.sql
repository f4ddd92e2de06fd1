-- Takes the environment's deployment lock to the end of the transaction, or says that somebody else has it.
SELECT pg_try_advisory_xact_lock(7241003, $1)
