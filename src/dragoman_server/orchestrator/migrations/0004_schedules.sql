-- The tick, triggers, and the day partitions of the log.

-- Start what is due (at most p_limit schedules and p_limit delayed tasks) and move each due schedule to its next grid
-- point: late runs are skipped, and a schedule whose last task is still active starts none (its lock key is taken).
-- Many tickers may race: schedule rows are taken SKIP LOCKED and moved in the statement that starts their task.
CREATE FUNCTION orchestrator.tick(p_limit int)
RETURNS TABLE (due int, queues text[], promoted int, next_at timestamptz, now_at timestamptz)
LANGUAGE plpgsql VOLATILE
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_bitmapscan = off
SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
#variable_conflict use_column
DECLARE
    v_now timestamptz := kit.now();
    v_due int;
    v_queues text[];
    v_promoted int;
    v_woken text[];
BEGIN
    WITH due AS MATERIALIZED (
        SELECT s.key, s.next_run_at FROM orchestrator.schedules s WHERE NOT s.paused AND s.next_run_at <= v_now
        ORDER BY s.next_run_at LIMIT p_limit FOR UPDATE SKIP LOCKED
    ),
    moved AS (
        UPDATE orchestrator.schedules s SET next_run_at = orchestrator.next_on_grid(s.starts_at, s.every_ms, v_now)
        WHERE s.key = ANY (ARRAY (SELECT d.key FROM due d)) RETURNING s.*
    ),
    made AS (
        INSERT INTO orchestrator.tasks (id, queue, environment_id, connection, priority, state, lock_key, schedule_key,
            payload, created_at, ready_at, start_within, start_by, run_timeout, max_attempts, backoff_seconds,
            backoff_factor, backoff_ceiling, requeue_on_lost_lease)
        SELECT orchestrator.new_id(), m.queue, m.environment_id, m.connection, m.priority, 'created', m.lock_key, m.key,
            m.payload, v_now, greatest(m.starts_at, m.next_run_at - m.every_ms * interval '1 millisecond'),
            m.start_within, v_now + m.start_within, m.run_timeout, m.max_attempts, m.backoff_seconds, m.backoff_factor,
            m.backoff_ceiling, m.requeue_on_lost_lease
        FROM moved m ORDER BY m.lock_key
        ON CONFLICT (lock_key) WHERE lock_key IS NOT NULL DO NOTHING
        RETURNING queue
    )
    SELECT (SELECT count(*) FROM due), (SELECT array_agg(DISTINCT m.queue) FROM made m) INTO v_due, v_queues;

    WITH ready AS MATERIALIZED (
        SELECT t.id FROM orchestrator.tasks t WHERE t.state = 'delayed' AND t.ready_at <= v_now
        ORDER BY t.ready_at LIMIT p_limit FOR UPDATE SKIP LOCKED
    ),
    woken AS (
        UPDATE orchestrator.tasks t SET state = 'created' WHERE t.id = ANY (ARRAY (SELECT r.id FROM ready r))
        RETURNING t.queue
    )
    SELECT count(*), array_agg(DISTINCT w.queue) INTO v_promoted, v_woken FROM woken w;

    RETURN QUERY SELECT v_due, coalesce(v_queues, '{}') || coalesce(v_woken, '{}'), v_promoted, least(
        (SELECT s.next_run_at FROM orchestrator.schedules s WHERE NOT s.paused ORDER BY s.next_run_at LIMIT 1),
        (SELECT t.ready_at FROM orchestrator.tasks t WHERE t.state = 'delayed' ORDER BY t.ready_at LIMIT 1)), v_now;
END
$$;

-- Run schedules now, paused or not, without moving their grid. `made` NULL: no such schedule; false: one is active.
CREATE FUNCTION orchestrator.trigger(p_keys text[], p_extra text)
RETURNS TABLE (key text, task uuid, made boolean, queue text) LANGUAGE plpgsql VOLATILE
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_bitmapscan = off
SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
#variable_conflict use_column
DECLARE
    v_now timestamptz := kit.now();
    v_made uuid[];
BEGIN
    WITH made AS (
        INSERT INTO orchestrator.tasks (id, queue, environment_id, connection, priority, state, lock_key, schedule_key,
            payload, payload_extra, created_at, ready_at, start_within, start_by, run_timeout, max_attempts,
            backoff_seconds, backoff_factor, backoff_ceiling, requeue_on_lost_lease)
        SELECT orchestrator.new_id(), s.queue, s.environment_id, s.connection, s.priority, 'created', s.lock_key, s.key,
            s.payload, p_extra, v_now, v_now, s.start_within, v_now + s.start_within, s.run_timeout,
            s.max_attempts, s.backoff_seconds, s.backoff_factor, s.backoff_ceiling, s.requeue_on_lost_lease
        FROM orchestrator.schedules s WHERE s.key = ANY (p_keys) ORDER BY s.lock_key
        ON CONFLICT (lock_key) WHERE lock_key IS NOT NULL DO NOTHING
        RETURNING id
    )
    SELECT coalesce(array_agg(m.id), '{}') INTO v_made FROM made m;

    RETURN QUERY SELECT k.key, t.id, CASE WHEN s.key IS NULL THEN NULL ELSE coalesce(t.id = ANY (v_made), false) END,
        s.queue
    FROM unnest(p_keys) WITH ORDINALITY k(key, n)
    LEFT JOIN orchestrator.schedules s ON s.key = k.key
    LEFT JOIN orchestrator.tasks t ON t.lock_key = s.lock_key
    ORDER BY k.n;
END
$$;

-- Make the log's partitions for yesterday up to p_ahead days from now; return how many were made. Attaching takes a
-- weak lock; a day that cannot be attached (its rows are in the default partition already) stays there.
CREATE FUNCTION orchestrator.make_partitions(p_ahead int) RETURNS int LANGUAGE plpgsql VOLATILE
SET lock_timeout = '2s'
AS $$
DECLARE
    v_day date;
    v_name text;
    v_made int := 0;
BEGIN
    PERFORM pg_advisory_xact_lock(7241002);
    FOR v_day IN SELECT (kit.now() AT TIME ZONE 'UTC')::date + n FROM generate_series(-1, p_ahead) n LOOP
        v_name := 'task_log_' || to_char(v_day, 'YYYYMMDD');
        CONTINUE WHEN to_regclass('orchestrator.' || v_name) IS NOT NULL;
        BEGIN
            EXECUTE format('CREATE TABLE orchestrator.%I (LIKE orchestrator.task_log INCLUDING DEFAULTS
                INCLUDING CONSTRAINTS)', v_name);
            EXECUTE format('ALTER TABLE orchestrator.task_log ATTACH PARTITION orchestrator.%I FOR VALUES FROM (%L) TO (%L)',
                v_name, v_day::timestamp AT TIME ZONE 'UTC', (v_day + 1)::timestamp AT TIME ZONE 'UTC');
            v_made := v_made + 1;
        EXCEPTION WHEN check_violation THEN
            NULL;
        END;
    END LOOP;
    RETURN v_made;
END
$$;

-- Drop the log's partitions older than p_keep days, and such rows of the default partition; return how many went.
CREATE FUNCTION orchestrator.drop_partitions(p_keep int) RETURNS int LANGUAGE plpgsql VOLATILE
SET lock_timeout = '2s'
AS $$
DECLARE
    v_oldest date := (kit.now() AT TIME ZONE 'UTC')::date - p_keep;
    v_name text;
    v_gone int := 0;
BEGIN
    PERFORM pg_advisory_xact_lock(7241002);
    FOR v_name IN
        SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
        WHERE i.inhparent = 'orchestrator.task_log'::regclass AND c.relname ~ '^task_log_[0-9]{8}$'
          AND to_date(right(c.relname, 8), 'YYYYMMDD') < v_oldest
    LOOP
        EXECUTE format('DROP TABLE orchestrator.%I', v_name);
        v_gone := v_gone + 1;
    END LOOP;
    DELETE FROM orchestrator.task_log_default WHERE finished_at < v_oldest::timestamp AT TIME ZONE 'UTC';
    RETURN v_gone;
END
$$;
