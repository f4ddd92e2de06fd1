-- The platform's own keys wrapped under another KEK than the one given; locked for the re-wrap.
SELECT name, kek_id, wrapped FROM vault.system_keys WHERE kek_id <> $1 ORDER BY name FOR UPDATE
