-- Forgets a retired data key for good. The caller has counted that nothing is sealed under it.
DELETE FROM vault.data_keys WHERE environment_id = $1 AND id = $2 AND retired_at < kit.now() - $3::interval
