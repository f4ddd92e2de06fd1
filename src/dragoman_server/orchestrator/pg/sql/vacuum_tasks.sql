-- Outside a transaction. Takes no lock that readers or writers wait for; skipped where another vacuum runs.
VACUUM (SKIP_LOCKED, INDEX_CLEANUP ON, TRUNCATE OFF) orchestrator.tasks
