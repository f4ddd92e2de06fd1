-- Tells listeners of a change when the surrounding transaction commits; nothing is sent if it rolls back.
SELECT pg_notify('dragoman_changes', $1)
