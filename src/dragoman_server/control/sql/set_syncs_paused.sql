-- Pauses or starts syncs of an environment; answers those that changed. Sorted against deadlocks.
UPDATE control.syncs SET paused = $3 WHERE environment_id = $1 AND id = ANY (ARRAY (
    SELECT s.id FROM control.syncs s WHERE s.environment_id = $1 AND s.id = ANY ($2::uuid[]) AND s.paused <> $3
    ORDER BY s.id FOR UPDATE))
RETURNING id
