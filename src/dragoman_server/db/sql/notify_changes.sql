-- Tells listeners of several changes when the surrounding transaction commits; nothing is sent if it rolls back.
SELECT pg_notify('dragoman_changes', change) FROM unnest($1::text[]) AS n (change)
