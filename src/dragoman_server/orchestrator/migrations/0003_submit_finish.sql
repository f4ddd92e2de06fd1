-- Submitting, finishing, and ending what nobody finishes. Volatile plpgsql: each inner statement has its own snapshot.

-- Queued tasks of each (queue, environment), counted no further than its cap.
CREATE FUNCTION orchestrator.backlog(p_queue text, p_environment bigint, p_cap int) RETURNS int
LANGUAGE plpgsql STABLE
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_bitmapscan = off
AS $$
BEGIN
    RETURN (SELECT count(*) FROM (SELECT 1 FROM orchestrator.tasks t WHERE t.queue = p_queue
        AND t.shard = (p_environment % 16)::smallint AND t.environment_id = p_environment AND t.state = 'created'
        LIMIT p_cap) counted);
END
$$;

-- One row per task given: its id (or that of the task that already stands for it), and whether it was made now.
-- With p_margin, a batch that would come within that margin of a cap is left undone and answered by no row at all: the
-- caller then takes the caps' locks and counts exactly.
CREATE FUNCTION orchestrator.submit(
    p_ids uuid[], p_queues text[], p_environments bigint[], p_connections text[], p_priorities int[],
    p_payloads text[], p_lock_keys text[], p_start_after interval[], p_start_within interval[],
    p_run_timeouts interval[], p_max_attempts int[], p_backoffs float8[], p_factors float8[], p_ceilings float8[],
    p_requeues boolean[], p_keys text[], p_caps int[], p_margin int
) RETURNS TABLE (place int, task uuid, created boolean) LANGUAGE plpgsql VOLATILE
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_bitmapscan = off
SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
#variable_conflict use_column
DECLARE
    v_now timestamptz := kit.now();
    v_pending uuid[] := p_ids;
    v_stored uuid[] := p_ids;
    v_round int := 0;
    v_made int;
BEGIN
    IF p_margin IS NOT NULL AND EXISTS (
        SELECT 1 FROM (SELECT q.queue, q.environment_id, min(q.cap) AS cap, count(*) AS more
              FROM unnest(p_queues, p_environments, p_caps) q(queue, environment_id, cap)
              GROUP BY q.queue, q.environment_id) w
        WHERE orchestrator.backlog(w.queue, w.environment_id, w.cap) + w.more > w.cap - p_margin
    ) THEN
        RETURN;
    END IF;

    IF EXISTS (SELECT 1 FROM unnest(p_keys) k WHERE k IS NOT NULL) THEN
        -- A concurrent submission of the same key makes us wait here for its commit; in key order, so never in a circle.
        INSERT INTO orchestrator.submissions (environment_id, key, task_id, created_at)
        SELECT DISTINCT ON (g.environment_id, g.key) g.environment_id, g.key, g.id, v_now
        FROM unnest(p_ids, p_environments, p_keys) WITH ORDINALITY g(id, environment_id, key, n)
        WHERE g.key IS NOT NULL ORDER BY g.environment_id, g.key, g.n
        ON CONFLICT (environment_id, key) DO NOTHING;
        SELECT array_agg(coalesce(s.task_id, g.id) ORDER BY g.n) INTO v_stored
        FROM unnest(p_ids, p_environments, p_keys) WITH ORDINALITY g(id, environment_id, key, n)
        LEFT JOIN orchestrator.submissions s ON s.environment_id = g.environment_id AND s.key = g.key;
        SELECT coalesce(array_agg(g.id), '{}') INTO v_pending FROM unnest(p_ids, v_stored) g(id, stored)
        WHERE g.id = g.stored;
    END IF;

    LOOP
        INSERT INTO orchestrator.tasks (id, queue, environment_id, connection, priority, state, lock_key, payload,
            created_at, ready_at, start_within, start_by, run_timeout, max_attempts, backoff_seconds, backoff_factor,
            backoff_ceiling, requeue_on_lost_lease)
        SELECT g.id, g.queue, g.environment_id, g.connection, g.priority,
            CASE WHEN g.start_after > interval '0' THEN 'delayed' ELSE 'created' END, g.lock_key, g.payload,
            v_now, v_now + coalesce(g.start_after, interval '0'), g.start_within,
            v_now + coalesce(g.start_after, interval '0') + g.start_within, g.run_timeout, g.max_attempts, g.backoff,
            g.factor, g.ceiling, g.requeue
        FROM unnest(p_ids, p_queues, p_environments, p_connections, p_priorities, p_payloads, p_lock_keys,
            p_start_after, p_start_within, p_run_timeouts, p_max_attempts, p_backoffs, p_factors, p_ceilings, p_requeues)
            WITH ORDINALITY g(id, queue, environment_id, connection, priority, payload, lock_key, start_after,
            start_within, run_timeout, max_attempts, backoff, factor, ceiling, requeue, n)
        WHERE g.id = ANY (v_pending)
        ORDER BY g.lock_key NULLS FIRST, g.n
        ON CONFLICT (lock_key) WHERE lock_key IS NOT NULL DO NOTHING;
        GET DIAGNOSTICS v_made = ROW_COUNT;
        EXIT WHEN v_made = cardinality(v_pending);
        -- Some lock keys were held: those tasks stand for ours, unless they ended since; then we try again.
        UPDATE orchestrator.submissions s SET task_id = t.id
        FROM unnest(p_ids, p_environments, p_keys, p_lock_keys) g(id, environment_id, key, lock_key)
        JOIN orchestrator.tasks t ON t.lock_key = g.lock_key
        WHERE s.environment_id = g.environment_id AND s.key = g.key AND s.task_id = g.id AND t.id <> g.id;
        SELECT array_agg(coalesce(t.id, g.stored) ORDER BY g.n) INTO v_stored
        FROM unnest(p_ids, v_stored, p_lock_keys) WITH ORDINALITY g(id, stored, lock_key, n)
        LEFT JOIN orchestrator.tasks t ON g.id = g.stored AND t.lock_key = g.lock_key;
        SELECT coalesce(array_agg(g.id), '{}') INTO v_pending FROM unnest(p_ids, v_stored) g(id, stored)
        WHERE g.id = g.stored AND NOT EXISTS (SELECT 1 FROM orchestrator.tasks t WHERE t.id = g.id);
        v_round := v_round + 1;
        EXIT WHEN cardinality(v_pending) = 0;
        IF v_round > 100 THEN
            RAISE EXCEPTION 'lock keys changed hands too often' USING ERRCODE = 'serialization_failure';
        END IF;
    END LOOP;

    RETURN QUERY SELECT g.n::int - 1, g.stored, g.id = g.stored
    FROM unnest(p_ids, v_stored) WITH ORDINALITY g(id, stored, n) ORDER BY g.n;
END
$$;

-- Ends started tasks, or sends them back in one statement: failed ones for another attempt after their back-off,
-- interrupted ones at once when they may be requeued (and were not lost too often). A row whose
-- attempt is not the one named, or that is not started, is left alone: the caller reads that as "fenced".
CREATE FUNCTION orchestrator.finish(
    p_ids uuid[], p_attempts int[], p_states text[], p_outputs bytea[], p_errors text[], p_retryable boolean[]
) RETURNS TABLE (task uuid, state text, attempt int, scheduled boolean, finished_at timestamptz)
LANGUAGE plpgsql VOLATILE
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_bitmapscan = off
SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
#variable_conflict use_column
DECLARE
    v_now timestamptz := kit.now();
BEGIN
    RETURN QUERY
    WITH given AS MATERIALIZED (
        SELECT * FROM unnest(p_ids, p_attempts, p_states, p_outputs, p_errors, p_retryable)
            g(id, attempt, state, output, error, retryable)
    ),
    held AS MATERIALIZED (
        SELECT t.id, t.attempt, t.cancel_requested,
            (t.attempt < t.max_attempts AND NOT t.cancel_requested) AS may_retry,
            (t.requeue_on_lost_lease AND t.lost < 5 AND NOT t.cancel_requested) AS may_requeue,
            least(t.backoff_ceiling, t.backoff_seconds * power(t.backoff_factor, least(t.attempt - 1, 60)))
                * interval '1 second' AS pause
        FROM orchestrator.tasks t WHERE t.id = ANY (p_ids) AND t.worker IS NOT NULL ORDER BY t.id FOR UPDATE
    ),
    decided AS MATERIALIZED (
        SELECT h.id, h.attempt, g.output, g.error,
            CASE WHEN g.state = 'interrupted' THEN interval '0' ELSE h.pause END AS pause, g.state = 'interrupted' AS lost,
            (g.state = 'failed' AND g.retryable AND h.may_retry) OR (g.state = 'interrupted' AND h.may_requeue) AS again,
            CASE WHEN h.cancel_requested AND g.state IN ('failed', 'interrupted') THEN 'cancelled' ELSE g.state END AS state
        FROM held h CROSS JOIN LATERAL (
            SELECT * FROM given g WHERE g.id = h.id AND g.attempt = h.attempt LIMIT 1) g
    ),
    again AS (
        UPDATE orchestrator.tasks t SET state = CASE WHEN d.pause > interval '0' THEN 'delayed' ELSE 'created' END,
            worker = NULL, started_at = NULL, deadline = NULL, lost = t.lost + d.lost::int, ready_at = v_now + d.pause,
            start_by = v_now + d.pause + t.start_within
        FROM decided d WHERE t.id = d.id AND t.id = ANY (p_ids) AND d.again
        RETURNING t.id, t.state, t.attempt, t.schedule_key
    ),
    ended AS (
        DELETE FROM orchestrator.tasks t USING decided d
        WHERE t.id = d.id AND t.id = ANY (p_ids) AND NOT d.again
        RETURNING t.id, t.queue, t.environment_id, t.connection, t.schedule_key, d.state, t.attempt, t.worker,
            t.created_at, t.started_at, d.output, d.error
    ),
    logged AS (
        INSERT INTO orchestrator.task_log (id, queue, environment_id, connection, schedule_key, state, attempt, worker,
            created_at, started_at, finished_at, output, error)
        SELECT e.id, e.queue, e.environment_id, e.connection, e.schedule_key, e.state, e.attempt, e.worker,
            e.created_at, e.started_at, v_now, e.output, e.error
        FROM ended e
    )
    SELECT e.id, e.state, e.attempt, e.schedule_key IS NOT NULL, v_now FROM ended e
    UNION ALL SELECT a.id, a.state, a.attempt, a.schedule_key IS NOT NULL, v_now FROM again a;
END
$$;

-- Queued tasks end at once; started ones are marked, and their worker learns it with its next beat.
CREATE FUNCTION orchestrator.cancel(p_ids uuid[], p_lock_keys text[])
RETURNS TABLE (task uuid, ended boolean) LANGUAGE plpgsql VOLATILE
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_bitmapscan = off
SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
#variable_conflict use_column
DECLARE
    v_now timestamptz := kit.now();
    v_ids uuid[];
BEGIN
    v_ids := p_ids || ARRAY (SELECT t.id FROM orchestrator.tasks t WHERE t.lock_key = ANY (p_lock_keys));
    RETURN QUERY
    WITH held AS MATERIALIZED (
        SELECT t.id, t.state FROM orchestrator.tasks t WHERE t.id = ANY (v_ids) ORDER BY t.id FOR UPDATE
    ),
    marked AS (
        UPDATE orchestrator.tasks t SET cancel_requested = true
        WHERE t.id = ANY (ARRAY (SELECT h.id FROM held h WHERE h.state = 'started')) AND NOT t.cancel_requested
        RETURNING t.id
    ),
    ended AS (
        DELETE FROM orchestrator.tasks t WHERE t.id = ANY (ARRAY (SELECT h.id FROM held h WHERE h.state <> 'started'))
        RETURNING t.*
    ),
    logged AS (
        INSERT INTO orchestrator.task_log (id, queue, environment_id, connection, schedule_key, state, attempt,
            created_at, finished_at)
        SELECT e.id, e.queue, e.environment_id, e.connection, e.schedule_key, 'cancelled', e.attempt, e.created_at, v_now
        FROM ended e
    )
    SELECT e.id, true FROM ended e UNION ALL SELECT m.id, false FROM marked m;
END
$$;

-- Queued tasks whose start_by has passed. Many expirers may run: a row another one holds is skipped.
CREATE FUNCTION orchestrator.expire(p_limit int) RETURNS TABLE (task uuid) LANGUAGE plpgsql VOLATILE
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_bitmapscan = off
SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
#variable_conflict use_column
DECLARE
    v_now timestamptz := kit.now();
BEGIN
    RETURN QUERY
    WITH late AS MATERIALIZED (
        SELECT t.id FROM orchestrator.tasks t
        WHERE t.state <> 'started' AND t.start_by IS NOT NULL AND t.start_by <= v_now
        ORDER BY t.start_by LIMIT p_limit FOR UPDATE SKIP LOCKED
    ),
    ended AS (
        DELETE FROM orchestrator.tasks t WHERE t.id = ANY (ARRAY (SELECT l.id FROM late l)) RETURNING t.*
    ),
    logged AS (
        INSERT INTO orchestrator.task_log (id, queue, environment_id, connection, schedule_key, state, attempt,
            created_at, finished_at, error)
        SELECT e.id, e.queue, e.environment_id, e.connection, e.schedule_key, 'expired', e.attempt, e.created_at, v_now,
            '{"code":"start_timeout","message":"The task could not be started in time."}'
        FROM ended e
    )
    SELECT e.id FROM ended e;
END
$$;

-- Tasks of workers that stopped beating (or said goodbye) and tasks past their run_timeout by p_grace.
-- Many reapers may run: rows are taken SKIP LOCKED; the attempt fences a worker that comes back.
CREATE FUNCTION orchestrator.reap(p_lease interval, p_grace interval, p_limit int)
RETURNS TABLE (task uuid, state text, queue text) LANGUAGE plpgsql VOLATILE
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_bitmapscan = off
SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
#variable_conflict use_column
DECLARE
    v_now timestamptz := kit.now();
BEGIN
    RETURN QUERY
    WITH lost AS MATERIALIZED (
        SELECT t.id, t.deadline < v_now - p_grace AS overdue
        FROM orchestrator.tasks t LEFT JOIN orchestrator.workers w ON w.id = t.worker
        WHERE t.state = 'started'
          AND (w.id IS NULL OR w.beat_at < v_now - p_lease OR t.deadline < v_now - p_grace)
        LIMIT p_limit FOR UPDATE OF t SKIP LOCKED
    ),
    decided AS MATERIALIZED (
        SELECT t.id, CASE
            WHEN t.cancel_requested THEN 'cancelled'
            WHEN l.overdue AND t.attempt < t.max_attempts THEN 'delayed'
            WHEN l.overdue THEN 'failed'
            WHEN t.requeue_on_lost_lease AND t.lost < 5 THEN 'created'
            ELSE 'interrupted' END AS state,
            least(t.backoff_ceiling, t.backoff_seconds * power(t.backoff_factor, least(t.attempt - 1, 60)))
                * interval '1 second' AS pause
        FROM lost l JOIN orchestrator.tasks t ON t.id = l.id
    ),
    again AS (
        UPDATE orchestrator.tasks t SET state = d.state, worker = NULL, started_at = NULL, deadline = NULL,
            lost = t.lost + CASE WHEN d.state = 'created' THEN 1 ELSE 0 END,
            ready_at = v_now + CASE WHEN d.state = 'delayed' THEN d.pause ELSE interval '0' END,
            start_by = v_now + CASE WHEN d.state = 'delayed' THEN d.pause ELSE interval '0' END + t.start_within
        FROM decided d WHERE t.id = d.id AND t.worker IS NOT NULL AND d.state IN ('created', 'delayed')
        RETURNING t.id, t.state, t.queue
    ),
    ended AS (
        DELETE FROM orchestrator.tasks t USING decided d
        WHERE t.id = d.id AND t.worker IS NOT NULL AND d.state NOT IN ('created', 'delayed')
        RETURNING t.id, t.queue, t.environment_id, t.connection, t.schedule_key, d.state, t.attempt, t.worker,
            t.created_at, t.started_at
    ),
    logged AS (
        INSERT INTO orchestrator.task_log (id, queue, environment_id, connection, schedule_key, state, attempt, worker,
            created_at, started_at, finished_at, error)
        SELECT e.id, e.queue, e.environment_id, e.connection, e.schedule_key, e.state, e.attempt, e.worker, e.created_at,
            e.started_at, v_now, CASE e.state
                WHEN 'failed' THEN '{"code":"run_timeout","message":"The run took too long."}'
                WHEN 'interrupted' THEN '{"code":"interrupted","message":"The worker that ran the task was lost."}' END
        FROM ended e
    )
    SELECT e.id, e.state, e.queue FROM ended e UNION ALL SELECT a.id, a.state, a.queue FROM again a;
END
$$;
