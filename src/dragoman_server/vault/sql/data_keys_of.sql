-- All data keys of an environment, wrapped.
SELECT id, kek_id, wrapped, retired_at IS NULL AS active FROM vault.data_keys WHERE environment_id = $1
