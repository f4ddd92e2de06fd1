-- A key of the platform's own, wrapped.
SELECT kek_id, wrapped FROM vault.system_keys WHERE name = $1
