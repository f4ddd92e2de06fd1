-- What this part's migrations make of an empty database. Written by scripts/dump_schema.py; do not edit.

CREATE SCHEMA orchestrator;
CREATE FUNCTION orchestrator.backlog(p_queue text, p_environment bigint, p_cap integer) RETURNS integer
    LANGUAGE plpgsql STABLE
    SET plan_cache_mode TO 'force_generic_plan'
    SET enable_seqscan TO 'off'
    SET enable_bitmapscan TO 'off'
    AS $$
BEGIN
    RETURN (SELECT count(*) FROM (SELECT 1 FROM orchestrator.tasks t WHERE t.queue = p_queue
        AND t.shard = (p_environment % 16)::smallint AND t.environment_id = p_environment AND t.state = 'created'
        LIMIT p_cap) counted);
END
$$;
CREATE FUNCTION orchestrator.cancel(p_ids uuid[], p_lock_keys text[]) RETURNS TABLE(task uuid, ended boolean)
    LANGUAGE plpgsql
    SET plan_cache_mode TO 'force_generic_plan'
    SET enable_seqscan TO 'off'
    SET enable_bitmapscan TO 'off'
    SET enable_hashjoin TO 'off'
    SET enable_mergejoin TO 'off'
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
CREATE FUNCTION orchestrator.claim(p_worker text, p_queue text, p_limit integer, p_environment_cap integer, p_connection_cap integer, p_cursor_shard integer, p_cursor_environment bigint, p_sweep integer, p_lease interval) RETURNS TABLE(task uuid, attempt integer, queue text, environment_id bigint, connection text, payload text, payload_extra text, schedule_key text, deadline timestamp with time zone, created_at timestamp with time zone, ready_at timestamp with time zone, run_timeout interval, turn integer, shard integer, busy boolean, more boolean, cut boolean, blocked bigint[])
    LANGUAGE plpgsql
    SET plan_cache_mode TO 'force_generic_plan'
    SET enable_seqscan TO 'off'
    SET enable_bitmapscan TO 'off'
    SET enable_hashjoin TO 'off'
    SET enable_mergejoin TO 'off'
    AS $$
#variable_conflict use_column
DECLARE
    v_now timestamptz := kit.now();
    v_shards int[];
    v_environments bigint[];
    v_more boolean := false;
    v_locked int[];
    v_tried int;
    v_slots int;
    v_workers int;
    v_share int;
    v_width int;
    v_last int;
BEGIN
    WITH RECURSIVE walk AS (
        (SELECT t.shard::int AS shard, t.environment_id, 1 AS n FROM orchestrator.tasks t
         WHERE t.queue = p_queue AND t.state = 'created'
           AND (t.shard, t.environment_id) > (p_cursor_shard::smallint, p_cursor_environment)
         ORDER BY t.shard, t.environment_id LIMIT 1)
        UNION ALL
        SELECT next.shard, next.environment_id, w.n + 1 FROM walk w CROSS JOIN LATERAL (
            SELECT t.shard::int AS shard, t.environment_id FROM orchestrator.tasks t
            WHERE t.queue = p_queue AND t.state = 'created'
              AND (t.shard, t.environment_id) > (w.shard::smallint, w.environment_id)
            ORDER BY t.shard, t.environment_id LIMIT 1) next
        WHERE w.n < p_sweep
    )
    SELECT array_agg(w.shard ORDER BY w.n), array_agg(w.environment_id ORDER BY w.n) INTO v_shards, v_environments
    FROM walk w;
    v_last := coalesce(array_length(v_environments, 1), 0);
    v_more := v_last >= p_sweep;
    IF v_last = 0 THEN
        RETURN QUERY SELECT NULL::uuid, 0, p_queue, NULL::bigint, NULL::text, NULL::text, NULL::text, NULL::text, v_now, v_now,
            v_now, NULL::interval, 0, -1, false, false, false, NULL::bigint[];
        RETURN;
    END IF;
    SELECT coalesce(sum(coalesce((w.slots ->> p_queue)::int, 0)), 0), count(*) INTO v_slots, v_workers
    FROM orchestrator.workers w WHERE w.beat_at > v_now - p_lease;
    -- One connection never holds more than three quarters of a queue's slots, so a flood leaves room beside it.
    v_share := CASE WHEN v_slots > 0 THEN greatest(1, v_slots * 3 / 4) ELSE 2147483647 END;
    -- A claimer leaves shards to its peers: alone it may take all sixteen.
    v_tried := greatest(2, 32 / greatest(1, v_workers));
    WITH met AS MATERIALIZED (
        SELECT s.shard, min(s.n) AS n FROM unnest(v_shards) WITH ORDINALITY s(shard, n)
        GROUP BY s.shard ORDER BY min(s.n) LIMIT v_tried
    )
    SELECT array_agg(m.shard) INTO v_locked FROM met m
    WHERE pg_try_advisory_xact_lock(hashtext(p_queue), m.shard);
    IF v_locked IS NULL THEN
        RETURN QUERY SELECT NULL::uuid, 0, p_queue, v_environments[v_last], NULL::text, NULL::text, NULL::text, NULL::text, v_now,
            v_now, v_now, NULL::interval, v_last, v_shards[v_last], true, v_more, false, NULL::bigint[];
        RETURN;
    END IF;
    v_width := greatest(2, 2 * p_limit / v_last + 2);
    RETURN QUERY
    WITH RECURSIVE environment AS MATERIALIZED (
        SELECT e.shard, e.environment_id, e.n,
            coalesce((SELECT g.max_running FROM orchestrator.groups g WHERE g.queue = p_queue
                      AND g.environment_id = e.environment_id AND g.connection IS NULL), p_environment_cap)
            - (SELECT count(*)::int FROM orchestrator.tasks r WHERE r.state = 'started' AND r.queue = p_queue
               AND r.environment_id = e.environment_id) AS free
        FROM unnest(v_shards, v_environments) WITH ORDINALITY e(shard, environment_id, n)
        WHERE e.shard = ANY (v_locked)
    ),
    walk AS (
        SELECT e.shard, e.environment_id, e.n, e.free, c.low, c.connection, 1 AS place
        FROM environment e CROSS JOIN LATERAL (
            SELECT l.low, coalesce(
                (SELECT t.connection FROM orchestrator.tasks t WHERE t.queue = p_queue AND t.shard = e.shard::smallint
                 AND t.environment_id = e.environment_id AND t.state = 'created' AND t.connection >= l.low
                 ORDER BY t.connection LIMIT 1),
                (SELECT t.connection FROM orchestrator.tasks t WHERE t.queue = p_queue AND t.shard = e.shard::smallint
                 AND t.environment_id = e.environment_id AND t.state = 'created'
                 ORDER BY t.connection LIMIT 1)) AS connection
            FROM (SELECT coalesce((SELECT u.low FROM orchestrator.turns u WHERE u.queue = p_queue
                                   AND u.environment_id = e.environment_id), '') AS low OFFSET 0) l
            OFFSET 0) c
        WHERE e.free > 0 AND c.connection IS NOT NULL
        UNION ALL
        SELECT w.shard, w.environment_id, w.n, w.free, w.low, next.connection, w.place + 1
        FROM walk w CROSS JOIN LATERAL (
            SELECT t.connection FROM orchestrator.tasks t WHERE t.queue = p_queue AND t.shard = w.shard::smallint
            AND t.environment_id = w.environment_id AND t.state = 'created' AND t.connection > w.connection
            ORDER BY t.connection LIMIT 1) next
        WHERE w.place < v_width
    ),
    room AS MATERIALIZED (
        SELECT w.*, least(v_share, coalesce(
                (SELECT g.max_running FROM orchestrator.groups g WHERE g.queue = p_queue
                 AND g.environment_id = w.environment_id AND g.connection = w.connection), p_connection_cap))
            - (SELECT count(*)::int FROM orchestrator.tasks r WHERE r.state = 'started' AND r.queue = p_queue
               AND r.environment_id = w.environment_id AND r.connection = w.connection) AS spare
        FROM walk w
    ),
    -- How deep to look into each connection: its part of its environment's part of what is wanted.
    open AS MATERIALIZED (
        SELECT r.*, p_limit / (count(*) OVER (PARTITION BY r.environment_id) * max(r.open_environments) OVER ()) + 1 AS depth
        FROM (SELECT r.*, dense_rank() OVER (ORDER BY r.environment_id) AS open_environments
              FROM room r WHERE r.spare > 0) r
    ),
    candidate AS (
        SELECT c.id, r.environment_id, r.n, r.free, r.spare, r.depth, r.place, c.round
        FROM open r CROSS JOIN LATERAL (
            SELECT t.id, row_number() OVER (ORDER BY t.priority DESC, t.seq) AS round FROM orchestrator.tasks t
            WHERE t.queue = p_queue AND t.shard = r.shard::smallint AND t.environment_id = r.environment_id
              AND t.connection = r.connection AND t.state = 'created' AND (t.start_by IS NULL OR t.start_by > v_now)
            ORDER BY t.priority DESC, t.seq
            LIMIT least(r.spare, r.free, r.depth)) c
    ),
    lined AS (
        SELECT c.id, c.environment_id, c.n, c.free, c.place,
            row_number() OVER (PARTITION BY c.environment_id ORDER BY c.round, c.place) AS round
        FROM candidate c
    ),
    picked AS MATERIALIZED (
        SELECT l.id, l.environment_id, l.n, l.place FROM lined l WHERE l.round <= l.free
        ORDER BY l.round, l.n LIMIT p_limit
    ),
    held AS MATERIALIZED (
        -- `worker IS NULL`, not the state: that would invite the planner to read the whole ready index.
        SELECT t.id FROM orchestrator.tasks t WHERE t.id = ANY (ARRAY (SELECT p.id FROM picked p))
        AND t.worker IS NULL FOR UPDATE SKIP LOCKED
    ),
    taken AS (
        UPDATE orchestrator.tasks t SET state = 'started', worker = p_worker, attempt = t.attempt + 1,
            started_at = v_now, deadline = v_now + t.run_timeout
        WHERE t.id = ANY (ARRAY (SELECT h.id FROM held h))
        RETURNING t.id, t.attempt, t.queue, t.environment_id, t.connection, t.payload, t.payload_extra, t.schedule_key, t.deadline,
            t.created_at, t.ready_at, t.run_timeout
    ),
    served AS (SELECT p.environment_id, max(p.place) AS place FROM picked p GROUP BY p.environment_id),
    turned AS (
        -- Environments of one connection need no turn; under the shard's lock nobody else writes these rows.
        INSERT INTO orchestrator.turns AS u (queue, environment_id, low)
        SELECT p_queue, s.environment_id,
            CASE WHEN s.place = e.places AND e.places < v_width THEN '' ELSE w.connection || chr(1) END
        FROM served s
        JOIN (SELECT w.environment_id, max(w.place) AS places, max(w.low) AS low FROM walk w
              GROUP BY w.environment_id) e ON e.environment_id = s.environment_id
        JOIN walk w ON w.environment_id = s.environment_id AND w.place = s.place
        WHERE e.low <> '' OR s.place < e.places OR e.places >= v_width
        ON CONFLICT (queue, environment_id) DO UPDATE SET low = excluded.low WHERE u.low <> excluded.low
    )
    SELECT k.id, k.attempt, k.queue, k.environment_id, k.connection, k.payload, k.payload_extra, k.schedule_key,
        k.deadline, k.created_at, k.ready_at, k.run_timeout, p.n::int, (k.environment_id % 16)::int, false, false, false,
        NULL::bigint[]
    FROM taken k JOIN picked p ON p.id = k.id
    UNION ALL
    SELECT NULL, 0, p_queue, v_environments[v_last], NULL, NULL, NULL, NULL, v_now, v_now, v_now, NULL, v_last,
        v_shards[v_last], cardinality(v_locked) < (SELECT count(DISTINCT s) FROM unnest(v_shards) s), v_more,
        (SELECT count(*) FROM picked) >= p_limit
            OR EXISTS (SELECT 1 FROM walk w WHERE w.place >= v_width OR w.low <> '')
            OR EXISTS (SELECT 1 FROM candidate c WHERE c.round >= c.depth AND c.round < c.spare AND c.round < c.free),
        ARRAY (SELECT e.environment_id FROM environment e WHERE e.free <= 0 UNION SELECT r.environment_id FROM room r
               WHERE r.spare <= 0 UNION SELECT c.environment_id FROM candidate c WHERE c.round >= c.spare
               UNION SELECT l.environment_id FROM lined l WHERE l.round >= l.free);
END
$$;
CREATE FUNCTION orchestrator.drop_partitions(p_keep integer) RETURNS integer
    LANGUAGE plpgsql
    SET lock_timeout TO '2s'
    AS $_$
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
$_$;
CREATE FUNCTION orchestrator.expire(p_limit integer) RETURNS TABLE(task uuid)
    LANGUAGE plpgsql
    SET plan_cache_mode TO 'force_generic_plan'
    SET enable_seqscan TO 'off'
    SET enable_bitmapscan TO 'off'
    SET enable_hashjoin TO 'off'
    SET enable_mergejoin TO 'off'
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
CREATE FUNCTION orchestrator.finish(p_ids uuid[], p_attempts integer[], p_states text[], p_outputs bytea[], p_errors text[], p_retryable boolean[]) RETURNS TABLE(task uuid, state text, attempt integer, scheduled boolean, finished_at timestamp with time zone)
    LANGUAGE plpgsql
    SET plan_cache_mode TO 'force_generic_plan'
    SET enable_seqscan TO 'off'
    SET enable_bitmapscan TO 'off'
    SET enable_hashjoin TO 'off'
    SET enable_mergejoin TO 'off'
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
CREATE FUNCTION orchestrator.make_partitions(p_ahead integer) RETURNS integer
    LANGUAGE plpgsql
    SET lock_timeout TO '2s'
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
CREATE FUNCTION orchestrator.new_id() RETURNS uuid
    LANGUAGE sql
    AS $$
    SELECT encode(
        set_bit(set_bit(overlay(uuid_send(gen_random_uuid())
            PLACING substring(int8send(floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint) FROM 3)
            FROM 1 FOR 6), 52, 1), 53, 1), 'hex')::uuid
$$;
CREATE FUNCTION orchestrator.next_on_grid(starts_at timestamp with time zone, every_ms bigint, at timestamp with time zone) RETURNS timestamp with time zone
    LANGUAGE sql STABLE
    AS $$
    SELECT starts_at + greatest(0, floor(extract(epoch FROM at - starts_at) * 1000 / every_ms) + 1)::float8
        * every_ms * interval '1 millisecond'
$$;
CREATE FUNCTION orchestrator.reap(p_lease interval, p_grace interval, p_limit integer) RETURNS TABLE(task uuid, state text, queue text)
    LANGUAGE plpgsql
    SET plan_cache_mode TO 'force_generic_plan'
    SET enable_seqscan TO 'off'
    SET enable_bitmapscan TO 'off'
    SET enable_hashjoin TO 'off'
    SET enable_mergejoin TO 'off'
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
CREATE FUNCTION orchestrator.submit(p_ids uuid[], p_queues text[], p_environments bigint[], p_connections text[], p_priorities integer[], p_payloads text[], p_lock_keys text[], p_start_after interval[], p_start_within interval[], p_run_timeouts interval[], p_max_attempts integer[], p_backoffs double precision[], p_factors double precision[], p_ceilings double precision[], p_requeues boolean[], p_keys text[], p_caps integer[], p_margin integer) RETURNS TABLE(place integer, task uuid, created boolean)
    LANGUAGE plpgsql
    SET plan_cache_mode TO 'force_generic_plan'
    SET enable_seqscan TO 'off'
    SET enable_bitmapscan TO 'off'
    SET enable_hashjoin TO 'off'
    SET enable_mergejoin TO 'off'
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
CREATE FUNCTION orchestrator.submit_and_claim(p_ids uuid[], p_queues text[], p_environments bigint[], p_connections text[], p_priorities integer[], p_payloads text[], p_lock_keys text[], p_start_after interval[], p_start_within interval[], p_run_timeouts interval[], p_max_attempts integer[], p_backoffs double precision[], p_factors double precision[], p_ceilings double precision[], p_requeues boolean[], p_keys text[], p_caps integer[], p_margin integer, p_worker text, p_lanes text[], p_most integer[], p_environment_caps integer[], p_connection_caps integer[], p_cursor_shards integer[], p_cursor_environments bigint[], p_sweeps integer[], p_lease interval) RETURNS TABLE(place integer, created boolean, task uuid, attempt integer, queue text, environment_id bigint, connection text, payload text, payload_extra text, schedule_key text, deadline timestamp with time zone, created_at timestamp with time zone, ready_at timestamp with time zone, run_timeout interval, turn integer, shard integer, busy boolean, more boolean, cut boolean, blocked bigint[])
    LANGUAGE plpgsql
    AS $$
BEGIN
    RETURN QUERY SELECT s.place, s.created, s.task, 0, NULL::text, NULL::bigint, NULL::text, NULL::text, NULL::text,
        NULL::text, NULL::timestamptz, NULL::timestamptz, NULL::timestamptz, NULL::interval, 0, -1, false, false, false,
        NULL::bigint[]
    FROM orchestrator.submit(p_ids, p_queues, p_environments, p_connections, p_priorities, p_payloads, p_lock_keys,
        p_start_after, p_start_within, p_run_timeouts, p_max_attempts, p_backoffs, p_factors, p_ceilings, p_requeues,
        p_keys, p_caps, p_margin) s;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    RETURN QUERY SELECT NULL::int, false, c.*
    FROM unnest(p_lanes, p_most, p_environment_caps, p_connection_caps, p_cursor_shards, p_cursor_environments, p_sweeps)
        q (lane, most, environment_cap, connection_cap, cursor_shard, cursor_environment, sweep)
    CROSS JOIN LATERAL orchestrator.claim(p_worker, q.lane, q.most, q.environment_cap, q.connection_cap, q.cursor_shard,
        q.cursor_environment, q.sweep, p_lease) c;
END
$$;
CREATE FUNCTION orchestrator.tick(p_limit integer) RETURNS TABLE(due integer, queues text[], promoted integer, next_at timestamp with time zone, now_at timestamp with time zone)
    LANGUAGE plpgsql
    SET plan_cache_mode TO 'force_generic_plan'
    SET enable_seqscan TO 'off'
    SET enable_bitmapscan TO 'off'
    SET enable_hashjoin TO 'off'
    SET enable_mergejoin TO 'off'
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
CREATE FUNCTION orchestrator.trigger(p_keys text[], p_extra text) RETURNS TABLE(key text, task uuid, made boolean, queue text)
    LANGUAGE plpgsql
    SET plan_cache_mode TO 'force_generic_plan'
    SET enable_seqscan TO 'off'
    SET enable_bitmapscan TO 'off'
    SET enable_hashjoin TO 'off'
    SET enable_mergejoin TO 'off'
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
CREATE TABLE orchestrator.groups (
    queue text NOT NULL COLLATE pg_catalog."C",
    environment_id bigint NOT NULL,
    connection text COLLATE pg_catalog."C",
    max_running integer NOT NULL,
    CONSTRAINT groups_max_running_check CHECK ((max_running >= 0))
);
CREATE TABLE orchestrator.schedules (
    key text NOT NULL COLLATE pg_catalog."C",
    environment_id bigint NOT NULL,
    connection text NOT NULL COLLATE pg_catalog."C",
    queue text NOT NULL COLLATE pg_catalog."C",
    priority integer NOT NULL,
    lock_key text NOT NULL COLLATE pg_catalog."C",
    payload text NOT NULL,
    start_within interval,
    run_timeout interval NOT NULL,
    max_attempts integer NOT NULL,
    backoff_seconds double precision NOT NULL,
    backoff_factor double precision NOT NULL,
    backoff_ceiling double precision NOT NULL,
    requeue_on_lost_lease boolean NOT NULL,
    every_ms bigint NOT NULL,
    starts_at timestamp with time zone NOT NULL,
    next_run_at timestamp with time zone NOT NULL,
    paused boolean NOT NULL,
    updated_at timestamp with time zone NOT NULL,
    CONSTRAINT schedules_every_ms_check CHECK ((every_ms > 0))
)
WITH (fillfactor='80', autovacuum_vacuum_scale_factor='0.02', autovacuum_vacuum_cost_delay='0');
CREATE TABLE orchestrator.submissions (
    environment_id bigint NOT NULL,
    key text NOT NULL COLLATE pg_catalog."C",
    task_id uuid NOT NULL,
    created_at timestamp with time zone NOT NULL
);
CREATE TABLE orchestrator.task_log (
    id uuid NOT NULL,
    queue text NOT NULL COLLATE pg_catalog."C",
    environment_id bigint NOT NULL,
    connection text NOT NULL COLLATE pg_catalog."C",
    schedule_key text COLLATE pg_catalog."C",
    state text NOT NULL COLLATE pg_catalog."C",
    attempt integer NOT NULL,
    worker text COLLATE pg_catalog."C",
    created_at timestamp with time zone NOT NULL,
    started_at timestamp with time zone,
    finished_at timestamp with time zone NOT NULL,
    output bytea,
    error text,
    CONSTRAINT task_log_state_check CHECK ((state = ANY (ARRAY['succeeded'::text, 'failed'::text, 'cancelled'::text, 'interrupted'::text, 'expired'::text])))
)
PARTITION BY RANGE (finished_at);
CREATE TABLE orchestrator.task_log_default (
    id uuid CONSTRAINT task_log_id_not_null NOT NULL,
    queue text CONSTRAINT task_log_queue_not_null NOT NULL COLLATE pg_catalog."C",
    environment_id bigint CONSTRAINT task_log_environment_id_not_null NOT NULL,
    connection text CONSTRAINT task_log_connection_not_null NOT NULL COLLATE pg_catalog."C",
    schedule_key text COLLATE pg_catalog."C",
    state text CONSTRAINT task_log_state_not_null NOT NULL COLLATE pg_catalog."C",
    attempt integer CONSTRAINT task_log_attempt_not_null NOT NULL,
    worker text COLLATE pg_catalog."C",
    created_at timestamp with time zone CONSTRAINT task_log_created_at_not_null NOT NULL,
    started_at timestamp with time zone,
    finished_at timestamp with time zone CONSTRAINT task_log_finished_at_not_null NOT NULL,
    output bytea,
    error text,
    CONSTRAINT task_log_state_check CHECK ((state = ANY (ARRAY['succeeded'::text, 'failed'::text, 'cancelled'::text, 'interrupted'::text, 'expired'::text])))
);
CREATE TABLE orchestrator.tasks (
    id uuid NOT NULL,
    seq bigint NOT NULL,
    queue text NOT NULL COLLATE pg_catalog."C",
    environment_id bigint NOT NULL,
    shard smallint GENERATED ALWAYS AS (((environment_id % (16)::bigint))::smallint) STORED,
    connection text NOT NULL COLLATE pg_catalog."C",
    priority integer NOT NULL,
    state text NOT NULL COLLATE pg_catalog."C",
    attempt integer DEFAULT 0 NOT NULL,
    lost integer DEFAULT 0 NOT NULL,
    lock_key text COLLATE pg_catalog."C",
    schedule_key text COLLATE pg_catalog."C",
    payload text NOT NULL,
    payload_extra text,
    created_at timestamp with time zone NOT NULL,
    ready_at timestamp with time zone NOT NULL,
    start_within interval,
    start_by timestamp with time zone,
    run_timeout interval NOT NULL,
    started_at timestamp with time zone,
    deadline timestamp with time zone,
    worker text COLLATE pg_catalog."C",
    cancel_requested boolean DEFAULT false NOT NULL,
    max_attempts integer NOT NULL,
    backoff_seconds double precision NOT NULL,
    backoff_factor double precision NOT NULL,
    backoff_ceiling double precision NOT NULL,
    requeue_on_lost_lease boolean NOT NULL,
    CONSTRAINT tasks_check CHECK (((state = 'started'::text) = (worker IS NOT NULL))),
    CONSTRAINT tasks_state_check CHECK ((state = ANY (ARRAY['created'::text, 'delayed'::text, 'started'::text])))
)
WITH (fillfactor='70', autovacuum_vacuum_scale_factor='0.01', autovacuum_vacuum_cost_delay='0', autovacuum_analyze_scale_factor='0.05');
ALTER TABLE orchestrator.tasks ALTER COLUMN seq ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME orchestrator.tasks_seq_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE UNLOGGED TABLE orchestrator.turns (
    queue text NOT NULL COLLATE pg_catalog."C",
    environment_id bigint NOT NULL,
    low text NOT NULL COLLATE pg_catalog."C"
)
WITH (fillfactor='60');
CREATE TABLE orchestrator.workers (
    id text NOT NULL COLLATE pg_catalog."C",
    slots jsonb NOT NULL,
    started_at timestamp with time zone NOT NULL,
    beat_at timestamp with time zone NOT NULL
)
WITH (fillfactor='50');
ALTER TABLE ONLY orchestrator.task_log ATTACH PARTITION orchestrator.task_log_default DEFAULT;
ALTER TABLE ONLY orchestrator.groups
    ADD CONSTRAINT groups_queue_environment_id_connection_key UNIQUE NULLS NOT DISTINCT (queue, environment_id, connection);
ALTER TABLE ONLY orchestrator.schedules
    ADD CONSTRAINT schedules_pkey PRIMARY KEY (key);
ALTER TABLE ONLY orchestrator.submissions
    ADD CONSTRAINT submissions_pkey PRIMARY KEY (environment_id, key);
ALTER TABLE ONLY orchestrator.tasks
    ADD CONSTRAINT tasks_pkey PRIMARY KEY (id);
ALTER TABLE ONLY orchestrator.turns
    ADD CONSTRAINT turns_pkey PRIMARY KEY (queue, environment_id);
ALTER TABLE ONLY orchestrator.workers
    ADD CONSTRAINT workers_pkey PRIMARY KEY (id);
CREATE INDEX schedules_due ON orchestrator.schedules USING btree (next_run_at) WHERE (NOT paused);
CREATE INDEX submissions_age ON orchestrator.submissions USING btree (created_at);
CREATE INDEX task_log_id ON ONLY orchestrator.task_log USING btree (id);
CREATE INDEX task_log_default_id_idx ON orchestrator.task_log_default USING btree (id);
CREATE INDEX task_log_schedule ON ONLY orchestrator.task_log USING btree (schedule_key, finished_at) WHERE (schedule_key IS NOT NULL);
CREATE INDEX task_log_default_schedule_key_finished_at_idx ON orchestrator.task_log_default USING btree (schedule_key, finished_at) WHERE (schedule_key IS NOT NULL);
CREATE INDEX tasks_delayed ON orchestrator.tasks USING btree (ready_at) WHERE (state = 'delayed'::text);
CREATE UNIQUE INDEX tasks_lock ON orchestrator.tasks USING btree (lock_key) WHERE (lock_key IS NOT NULL);
CREATE INDEX tasks_ready ON orchestrator.tasks USING btree (queue, shard, environment_id, connection, priority DESC, seq) WHERE (state = 'created'::text);
CREATE INDEX tasks_running ON orchestrator.tasks USING btree (queue, environment_id, connection) WHERE (state = 'started'::text);
CREATE INDEX tasks_start_by ON orchestrator.tasks USING btree (start_by) WHERE ((state <> 'started'::text) AND (start_by IS NOT NULL));
ALTER INDEX orchestrator.task_log_id ATTACH PARTITION orchestrator.task_log_default_id_idx;
ALTER INDEX orchestrator.task_log_schedule ATTACH PARTITION orchestrator.task_log_default_schedule_key_finished_at_idx;
