-- Queue tasks and claim in one transaction: whoever submits and has a free slot saves a commit and a round trip. The two
-- functions keep all their rules: what is claimed may be another's task, or nothing. `submit` may wait for another's
-- transaction, `claim` only tries its locks; in this order they never wait in a circle.
-- First one row per task given (place, task, created), then what `claim` answers (place NULL); no row at all when the
-- margin was met.
CREATE FUNCTION orchestrator.submit_and_claim(
    p_ids uuid[], p_queues text[], p_environments bigint[], p_connections text[], p_priorities int[],
    p_payloads text[], p_lock_keys text[], p_start_after interval[], p_start_within interval[],
    p_run_timeouts interval[], p_max_attempts int[], p_backoffs float8[], p_factors float8[], p_ceilings float8[],
    p_requeues boolean[], p_keys text[], p_caps int[], p_margin int,
    p_worker text, p_lanes text[], p_most int[], p_environment_caps int[], p_connection_caps int[],
    p_cursor_shards int[], p_cursor_environments bigint[], p_sweeps int[], p_lease interval
) RETURNS TABLE (
    place int, created boolean,
    task uuid, attempt int, queue text, environment_id bigint, connection text, payload text, payload_extra text,
    schedule_key text, deadline timestamptz, created_at timestamptz, ready_at timestamptz, run_timeout interval,
    turn int, shard int, busy boolean, more boolean, cut boolean, blocked bigint[]
) LANGUAGE plpgsql VOLATILE AS $$
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
