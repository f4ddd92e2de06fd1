-- Reads only. The active task is found by its lock key, the last end by the log's schedule index, newest day first.
-- Keys and ids are the engine's own, unique over all environments.
SELECT s.key, s.every_ms, CASE WHEN s.paused THEN NULL ELSE s.next_run_at END AS next_run_at, s.paused, t.id AS task,
    l.state AS last_state
FROM orchestrator.schedules s
LEFT JOIN orchestrator.tasks t ON t.lock_key = s.lock_key
LEFT JOIN LATERAL (SELECT f.state FROM orchestrator.task_log f WHERE f.schedule_key = s.key
    ORDER BY f.finished_at DESC LIMIT 1) l ON true
WHERE s.key = ANY ($1::text[])
