-- Stores or (body NULL) clears a checkpoint; $4: the version expected, NULL for any, 0 for none yet. Nothing is returned
-- when another version is there. Safe with many: the row's lock decides.
INSERT INTO records.checkpoints AS c (owner, environment_id, body)
SELECT $2, $1, $3 WHERE $4::int IS NULL OR $4 = 0 OR EXISTS (
    SELECT FROM records.checkpoints e WHERE e.environment_id = $1 AND e.owner = $2)
ON CONFLICT (owner) DO UPDATE SET body = excluded.body, version = c.version + 1, saved_at = kit.now()
WHERE c.environment_id = $1 AND ($4::int IS NULL OR c.version = $4)
RETURNING version
