-- With the deletion of their connections. A renewal under way may still bring its answer, the newest grant to revoke.
UPDATE connect.credentials SET ended_at = kit.now(), ended_by = $2, due_at = NULL
WHERE environment_id = $1 AND connection_id = ANY ($3::bigint[]) AND ended_at IS NULL
