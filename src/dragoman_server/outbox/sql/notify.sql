-- A hint to every relay that something was committed; sent outside of the writers' transactions.
SELECT pg_notify('dragoman_outbox', '')
