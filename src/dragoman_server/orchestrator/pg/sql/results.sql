-- Results by id. $2 is before the oldest of these tasks was made, so older partitions are not touched. Reads only.
-- Keys and ids are the engine's own, unique over all environments.
SELECT l.id, l.state, l.attempt, l.output, l.error, l.finished_at FROM orchestrator.task_log l
WHERE l.id = ANY ($1::uuid[]) AND l.finished_at >= $2
