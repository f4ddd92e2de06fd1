-- Prolong the lease and read what the worker holds, in one statement. The row is written only by that worker.
-- Keys and ids are the engine's own, unique over all environments.
WITH beaten AS (
    INSERT INTO orchestrator.workers AS w (id, slots, started_at, beat_at)
    VALUES ($1, $2::text::jsonb, kit.now(), kit.now())
    ON CONFLICT (id) DO UPDATE SET slots = excluded.slots, beat_at = excluded.beat_at
)
SELECT t.id, t.attempt, t.cancel_requested FROM orchestrator.tasks t WHERE t.state = 'started' AND t.worker = $1
