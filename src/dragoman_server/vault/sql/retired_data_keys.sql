-- Data keys that rotation still has to empty, in every environment; `ripe` when no process can still seal with them.
SELECT environment_id, id, retired_at < kit.now() - $1::interval AS ripe
FROM vault.data_keys WHERE retired_at IS NOT NULL ORDER BY id
