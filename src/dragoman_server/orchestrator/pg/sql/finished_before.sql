-- After a lost connection: which of these attempts were recorded by the commit whose answer we never saw. Reads only.
-- Keys and ids are the engine's own, unique over all environments.
SELECT l.id, l.state, l.attempt, l.finished_at FROM orchestrator.task_log l
JOIN unnest($1::uuid[], $2::int[]) g(id, attempt) ON l.id = g.id AND l.attempt = g.attempt
WHERE l.id = ANY ($1::uuid[]) AND l.finished_at >= $3
