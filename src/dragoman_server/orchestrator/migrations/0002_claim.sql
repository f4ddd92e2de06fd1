-- Claiming: hierarchical round-robin over environments, then their connections, under caps at both levels.
--
-- Statement 1 finds environments with ready tasks by index seeks from the caller's cursor. Statement 2 tries the lock of
-- each shard met. Statement 3, whose snapshot is later than those locks, counts what runs and claims: a snapshot older
-- than the lock would overshoot the caps. Rows are never ranked or locked beyond those claimed.
-- The last row (task NULL) tells the caller where it got to: whether another claimer held a shard (busy), the walk over
-- environments was cut (more), something claimable was left behind in those seen (cut), and which environments have
-- ready tasks that a cap holds back (blocked).
CREATE FUNCTION orchestrator.claim(
    p_worker text, p_queue text, p_limit int, p_environment_cap int, p_connection_cap int,
    p_cursor_shard int, p_cursor_environment bigint, p_sweep int, p_lease interval
) RETURNS TABLE (
    task uuid, attempt int, queue text, environment_id bigint, connection text, payload text, payload_extra text, schedule_key text,
    deadline timestamptz, created_at timestamptz, ready_at timestamptz, run_timeout interval,
    turn int, shard int, busy boolean, more boolean, cut boolean, blocked bigint[]
) LANGUAGE plpgsql VOLATILE
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off
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
