-- A new period on the old grid's start. One row; a racing tick waits for it and judges the new next_run_at.
-- Keys and ids are the engine's own, unique over all environments.
UPDATE orchestrator.schedules s SET every_ms = $2, updated_at = kit.now(),
    next_run_at = orchestrator.next_on_grid(s.starts_at, $2, kit.now())
WHERE s.key = $1
