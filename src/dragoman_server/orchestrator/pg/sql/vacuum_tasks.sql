-- Outside a transaction. Takes no lock that readers or writers wait for; skipped where another vacuum runs.
-- Serves all environments: it is the engine's own upkeep.
VACUUM (SKIP_LOCKED, INDEX_CLEANUP ON, TRUNCATE OFF) orchestrator.tasks
