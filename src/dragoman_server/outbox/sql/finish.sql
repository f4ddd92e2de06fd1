-- Forgets handled facts. One that was put again meanwhile has another version and stays.
DELETE FROM outbox.facts AS f USING unnest($1::int[], $2::bigint[], $3::int[]) AS n (environment_id, id, version)
WHERE f.environment_id = n.environment_id AND f.id = n.id AND f.version = n.version
RETURNING f.id
