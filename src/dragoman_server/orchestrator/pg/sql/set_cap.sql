-- Counts from the next claim on.
INSERT INTO orchestrator.groups (queue, environment_id, connection, max_running) VALUES ($1, $2, $3, $4)
ON CONFLICT (queue, environment_id, connection) DO UPDATE SET max_running = excluded.max_running
