-- One chunk of a generation's close: of the rows from its position to where the stream stood at its start, delete those
-- whose rid is not in the bitmap. The caller holds the stream's lock, and its bitmap has every chunk written so far.
CREATE FUNCTION records.sweep_unseen(
    p_environment int, p_key bigint, p_owner uuid, p_bitmap bytea, p_writer int, p_limit int,
    OUT swept int, OUT deleted int
) LANGUAGE plpgsql VOLATILE
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET enable_bitmapscan = off
SET enable_sort = off SET plan_cache_mode = force_generic_plan SET jit = off
AS $$
#variable_conflict use_column
DECLARE
    s records.streams;
    g records.generations;
    v_now timestamptz;
    v_bits bigint := length(p_bitmap)::bigint * 8;
    v_position bigint;
BEGIN
    SELECT * INTO STRICT s FROM records.streams t
        WHERE t.environment_id = p_environment AND t.key = p_key FOR NO KEY UPDATE;
    SELECT * INTO STRICT g FROM records.generations t
        WHERE t.environment_id = p_environment AND t.stream_key = p_key AND t.owner = p_owner;
    v_now := greatest(kit.now(), s.last_modified_at);
    WITH span AS MATERIALIZED (
        SELECT h.seq, h.rid, h.action, h.external_id FROM records.records h
        WHERE h.stream_id = s.stream_id AND h.stream_id + 0 = s.stream_id AND h.seq > g.position AND h.seq <= g.start_seq AND h.environment_id = p_environment
        ORDER BY h.seq LIMIT p_limit
    ), doomed AS MATERIALIZED (
        SELECT s.stream_id, d.external_id, s.last_seq + row_number() OVER () AS new_seq FROM span d
        WHERE d.action <> 3 AND CASE WHEN d.rid < v_bits THEN get_bit(p_bitmap, d.rid) = 0 ELSE true END
    ), gone AS (
        UPDATE records.records h SET seq = d.new_seq, modified = records.micros(v_now), action = 3, writer = p_writer
        FROM doomed d
        WHERE h.stream_id = d.stream_id AND h.external_id = d.external_id AND h.environment_id = p_environment
        RETURNING 1
    )
    SELECT (SELECT count(*) FROM span), (SELECT max(p.seq) FROM span p), (SELECT count(*) FROM gone)
        INTO swept, v_position, deleted;
    IF deleted > 0 THEN
        UPDATE records.streams t SET last_seq = s.last_seq + sweep_unseen.deleted, live = t.live - sweep_unseen.deleted,
            last_modified_at = v_now, saved_at = v_now
        WHERE t.environment_id = p_environment AND t.key = p_key;
    END IF;
    IF swept > 0 THEN
        UPDATE records.generations t SET position = v_position, deleted = t.deleted + sweep_unseen.deleted
        WHERE t.environment_id = p_environment AND t.stream_key = p_key AND t.owner = p_owner;
    END IF;
END
$$;

-- Empty the payloads of a stream's oldest rows, up to a position and (if given) unchanged since before a time; heads stay
-- where they are, with their hashes.
CREATE FUNCTION records.prune(
    p_environment int, p_key bigint, p_until bigint, p_before bigint, p_limit int,
    OUT pruned int, OUT has_more boolean
) LANGUAGE plpgsql VOLATILE
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET enable_bitmapscan = off
SET enable_sort = off SET plan_cache_mode = force_generic_plan SET jit = off
AS $$
#variable_conflict use_column
DECLARE
    s records.streams;
    v_now bigint := records.micros(kit.now());
    v_floor bigint;
    v_bytes bigint;
    v_found int;
BEGIN
    pruned := 0;
    has_more := false;
    SELECT * INTO s FROM records.streams t
        WHERE t.environment_id = p_environment AND t.key = p_key FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    WITH old AS MATERIALIZED (
        SELECT s.stream_id, h.seq, h.payload_seq, h.external_id, h.size, row_number() OVER () AS n FROM (
            SELECT r.seq, r.payload_seq, r.external_id, r.size FROM records.records r
            WHERE r.stream_id = s.stream_id AND r.stream_id + 0 = s.stream_id AND r.seq > s.prune_floor AND r.seq <= p_until
                AND (p_before IS NULL OR r.modified < p_before) AND r.pruned IS NULL
                AND r.environment_id = p_environment
            ORDER BY r.seq LIMIT p_limit + 1
        ) h
    ), heads AS (
        UPDATE records.records r SET pruned = v_now, payload_seq = NULL, size = 0 FROM old o
        WHERE r.stream_id = o.stream_id AND r.external_id = o.external_id AND r.environment_id = p_environment
            AND o.n <= p_limit
        RETURNING 1
    ), emptied AS (
        DELETE FROM records.payloads p USING old o
        WHERE p.stream_id = o.stream_id AND p.seq = o.payload_seq AND p.environment_id = p_environment AND o.n <= p_limit
    )
    SELECT (SELECT count(*) FROM heads), count(*), max(o.seq) FILTER (WHERE o.n <= p_limit),
            coalesce(sum(o.size) FILTER (WHERE o.n <= p_limit), 0)
        INTO pruned, v_found, v_floor, v_bytes FROM old o;
    has_more := v_found > p_limit;
    IF pruned > 0 THEN
        UPDATE records.streams t SET prune_floor = greatest(t.prune_floor, v_floor), bytes = t.bytes - v_bytes
        WHERE t.environment_id = p_environment AND t.key = p_key;
    END IF;
END
$$;

-- Delete up to p_limit rows of contents that were swapped out or erased; nobody reads or writes them anymore.
CREATE FUNCTION records.purge(p_environment int, p_stream_id bigint, p_limit int) RETURNS int LANGUAGE plpgsql VOLATILE
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET enable_bitmapscan = off
SET enable_sort = off SET plan_cache_mode = force_generic_plan SET jit = off
AS $$
DECLARE
    v_last bigint;
    v_count int := 0;
    v_total int := 0;
BEGIN
    SELECT max(d.seq) INTO v_last FROM (SELECT p.seq FROM records.payloads p
        WHERE p.stream_id = p_stream_id AND p.seq > 0 AND p.environment_id = p_environment ORDER BY p.seq LIMIT p_limit) d;
    IF v_last IS NOT NULL THEN
        DELETE FROM records.payloads p
            WHERE p.stream_id = p_stream_id AND p.seq <= v_last AND p.environment_id = p_environment;
        GET DIAGNOSTICS v_total = ROW_COUNT;
    END IF;
    SELECT max(d.seq) INTO v_last FROM (SELECT h.seq FROM records.records h
        WHERE h.stream_id = p_stream_id AND h.stream_id + 0 = p_stream_id AND h.seq > 0
            AND h.environment_id = p_environment
        ORDER BY h.seq LIMIT p_limit) d;
    IF v_last IS NOT NULL THEN
        DELETE FROM records.records h
            WHERE h.stream_id = p_stream_id AND h.stream_id + 0 = p_stream_id AND h.seq <= v_last AND h.environment_id = p_environment;
        GET DIAGNOSTICS v_count = ROW_COUNT;
    END IF;
    RETURN v_total + v_count;
END
$$;

-- Streams after p_key, at most p_window of them looked at, whose oldest unpruned row is older than p_before.
CREATE FUNCTION records.prunable(p_key bigint, p_window int, p_before bigint)
RETURNS TABLE (environment_id int, key bigint, old boolean) LANGUAGE sql STABLE
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET enable_bitmapscan = off SET enable_sort = off SET jit = off
AS $$
    SELECT s.environment_id, s.key, s.prune_floor < s.last_seq AND coalesce((
            SELECT h.modified < p_before FROM records.records h
            WHERE h.stream_id = s.stream_id AND h.stream_id + 0 = s.stream_id AND h.seq > s.prune_floor AND h.environment_id = s.environment_id
            ORDER BY h.seq LIMIT 1), false)
    FROM (SELECT * FROM records.streams t WHERE t.key > p_key ORDER BY t.key LIMIT p_window) s
    ORDER BY s.key
$$;

-- The payloads of a stream after a position of its feed, for a key rotation.
CREATE FUNCTION records.sealed_after(p_environment int, p_key bigint, p_seq bigint, p_limit int)
RETURNS TABLE (seq bigint, external_id text, stream_id bigint, payload_seq bigint, payload bytea) LANGUAGE sql STABLE
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET enable_bitmapscan = off SET enable_sort = off SET jit = off
AS $$
    SELECT h.seq, h.external_id, s.stream_id, h.payload_seq, (
            SELECT p.payload FROM records.payloads p
            WHERE p.stream_id = s.stream_id AND p.seq = h.payload_seq AND p.environment_id = p_environment)
    FROM records.streams s
    CROSS JOIN LATERAL (
        SELECT r.seq, r.external_id, r.payload_seq FROM records.records r
        WHERE r.stream_id = s.stream_id AND r.stream_id + 0 = s.stream_id AND r.seq > p_seq AND r.environment_id = p_environment
        ORDER BY r.seq LIMIT p_limit
    ) h
    WHERE s.environment_id = p_environment AND s.key = p_key
$$;
