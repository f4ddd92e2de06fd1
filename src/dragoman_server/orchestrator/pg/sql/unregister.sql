-- The reaper treats tasks of an unknown worker as lost.
DELETE FROM orchestrator.workers WHERE id = $1
