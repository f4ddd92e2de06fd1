-- Whether an attempt still runs: one that was ended, taken back or given out again is not there under its number.
-- Reads only. Keys and ids are the engine's own, unique over all environments.
SELECT EXISTS (SELECT 1 FROM orchestrator.tasks t WHERE t.id = $1 AND t.attempt = $2 AND t.worker IS NOT NULL)
