-- Hash keys of every environment wrapped under another KEK than the one given; locked for the re-wrap.
SELECT environment_id, kek_id, wrapped FROM vault.hash_keys WHERE kek_id <> $1 ORDER BY environment_id FOR UPDATE
