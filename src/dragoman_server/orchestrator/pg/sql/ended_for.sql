-- Whose tasks these were. Reads only; the moment spares the older partitions.
SELECT l.id, l.environment_id FROM orchestrator.task_log l WHERE l.id = ANY ($1::uuid[]) AND l.finished_at >= $2
