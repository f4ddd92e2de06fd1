-- Pause or resume. Rows are locked in key order. A resumed schedule skips to its next grid point.
-- Keys and ids are the engine's own, unique over all environments.
WITH held AS MATERIALIZED (
    SELECT s.key FROM orchestrator.schedules s WHERE s.key = ANY ($1::text[]) ORDER BY s.key FOR UPDATE
)
UPDATE orchestrator.schedules s SET paused = $2, updated_at = kit.now(),
    next_run_at = CASE WHEN s.paused AND NOT $2 THEN orchestrator.next_on_grid(s.starts_at, s.every_ms, kit.now())
                       ELSE s.next_run_at END
WHERE s.key = ANY (ARRAY (SELECT h.key FROM held h))
