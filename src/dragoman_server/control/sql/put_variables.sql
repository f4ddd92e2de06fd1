-- Sets variables of an environment; the last writer wins. Sorted against deadlocks.
INSERT INTO control.variables (environment_id, name, value)
SELECT $1, n.name, n.value FROM unnest($2::text[], $3::bytea[]) AS n (name, value) ORDER BY n.name COLLATE "C"
ON CONFLICT (environment_id, name) DO UPDATE SET value = excluded.value, updated_at = kit.now()
