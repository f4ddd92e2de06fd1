-- Create or change schedules; an unchanged one is not written. In key order, so two upserts never wait in a circle.
-- A new schedule without a start is due now; a changed grid or a resumed schedule goes on at its next grid point.
INSERT INTO orchestrator.schedules AS s (key, environment_id, connection, queue, priority, lock_key, payload,
    start_within, run_timeout, max_attempts, backoff_seconds, backoff_factor, backoff_ceiling, requeue_on_lost_lease,
    every_ms, starts_at, next_run_at, paused, updated_at)
SELECT g.key, g.environment_id, g.connection, g.queue, g.priority, g.lock_key, g.payload, g.start_within,
    g.run_timeout, g.max_attempts, g.backoff, g.factor, g.ceiling, g.requeue, g.every_ms,
    coalesce(g.starts_at, o.starts_at, kit.now()),
    CASE WHEN o.key IS NULL AND g.starts_at IS NULL THEN kit.now()
         WHEN o.key IS NOT NULL AND o.every_ms = g.every_ms AND coalesce(g.starts_at, o.starts_at) = o.starts_at
              AND (o.paused = g.paused OR g.paused) THEN o.next_run_at
         ELSE orchestrator.next_on_grid(coalesce(g.starts_at, o.starts_at, kit.now()), g.every_ms, kit.now()) END,
    g.paused, kit.now()
FROM unnest($1::text[], $2::bigint[], $3::text[], $4::text[], $5::int[], $6::text[], $7::text[], $8::interval[],
        $9::interval[], $10::int[], $11::float8[], $12::float8[], $13::float8[], $14::boolean[], $15::bigint[],
        $16::timestamptz[], $17::boolean[])
    g(key, environment_id, connection, queue, priority, lock_key, payload, start_within, run_timeout, max_attempts,
      backoff, factor, ceiling, requeue, every_ms, starts_at, paused)
LEFT JOIN orchestrator.schedules o ON o.key = g.key
ORDER BY g.key
ON CONFLICT (key) DO UPDATE SET environment_id = excluded.environment_id, connection = excluded.connection,
    queue = excluded.queue, priority = excluded.priority, lock_key = excluded.lock_key, payload = excluded.payload,
    start_within = excluded.start_within, run_timeout = excluded.run_timeout, max_attempts = excluded.max_attempts,
    backoff_seconds = excluded.backoff_seconds, backoff_factor = excluded.backoff_factor,
    backoff_ceiling = excluded.backoff_ceiling, requeue_on_lost_lease = excluded.requeue_on_lost_lease,
    every_ms = excluded.every_ms, starts_at = excluded.starts_at, next_run_at = excluded.next_run_at,
    paused = excluded.paused, updated_at = excluded.updated_at
WHERE (s.environment_id, s.connection, s.queue, s.priority, s.lock_key, s.payload, s.start_within, s.run_timeout,
       s.max_attempts, s.backoff_seconds, s.backoff_factor, s.backoff_ceiling, s.requeue_on_lost_lease, s.every_ms,
       s.starts_at, s.paused)
    IS DISTINCT FROM (excluded.environment_id, excluded.connection, excluded.queue, excluded.priority, excluded.lock_key,
       excluded.payload, excluded.start_within, excluded.run_timeout, excluded.max_attempts, excluded.backoff_seconds,
       excluded.backoff_factor, excluded.backoff_ceiling, excluded.requeue_on_lost_lease, excluded.every_ms,
       excluded.starts_at, excluded.paused)
