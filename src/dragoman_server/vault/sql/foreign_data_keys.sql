-- Data keys of every environment wrapped under another KEK than the one given; locked for the re-wrap.
SELECT environment_id, id, kek_id, wrapped FROM vault.data_keys WHERE kek_id <> $1 ORDER BY id FOR UPDATE
