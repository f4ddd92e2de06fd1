-- The hot statements. Each is a function for two reasons: a volatile plpgsql function takes a new snapshot for each of
-- its statements, so what is read after a lock was awaited is what the lock's last holder committed; and a function
-- carries planner settings, so that empty or stale statistics never turn an index walk into a scan (no session state).
-- Two habits for the same end: a look-up per row is LATERAL with OFFSET 0, which is never flattened into a join; and an
-- UPDATE or DELETE takes stream_id from its materialized driver, not from a parameter, so that the table cannot be the
-- outer side (as a parameter it was, on empty statistics: 400 us per record).

-- Times of records are kept as microseconds since 1970.
CREATE FUNCTION records.micros(p_at timestamptz) RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$ SELECT (extract(epoch FROM p_at) * 1000000)::bigint $$;

-- Compare ids and hashes with what is stored, without any lock. `changed`: the positions (from 1) that differ, are new
-- or come back from deletion; `rids`: those of the rest, only while a generation is open on the stream.
CREATE FUNCTION records.look_up(
    p_environment int, p_connection bigint, p_model text, p_variant text,
    p_ids text[], p_hashes bytea[], p_hash_version smallint, p_writer int, p_not_after bigint,
    OUT stream_key bigint, OUT stream_id bigint, OUT connection_uuid uuid, OUT last_seq bigint, OUT tracked boolean,
    OUT stale boolean, OUT changed int[], OUT rids int[]
) LANGUAGE plpgsql VOLATILE
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET enable_bitmapscan = off
SET plan_cache_mode = force_generic_plan SET jit = off
AS $$
BEGIN
    SELECT s.key, s.stream_id, s.connection_uuid, s.last_seq, s.saved_at < kit.now() - interval '1 day', s.next_rid > 1
        INTO stream_key, stream_id, connection_uuid, last_seq, stale, tracked
        FROM records.streams s
        WHERE s.environment_id = p_environment AND s.connection_row_id = p_connection
            AND s.model = p_model AND s.variant = p_variant;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    IF NOT tracked THEN  -- nothing was ever stored here: all of it is new
        changed := ARRAY(SELECT generate_series(1, cardinality(p_ids)));
        tracked := EXISTS (SELECT FROM records.generations g
            WHERE g.stream_key = look_up.stream_key AND g.environment_id = p_environment);
        RETURN;
    END IF;
    tracked := EXISTS (SELECT FROM records.generations g
        WHERE g.stream_key = look_up.stream_key AND g.environment_id = p_environment);
    SELECT coalesce(array_agg(i.ord::int) FILTER (WHERE NOT i.keep), '{}'),
           coalesce(array_agg(i.rid) FILTER (WHERE i.keep AND look_up.tracked), '{}')
        INTO changed, rids
        FROM (
            SELECT u.ord, r.rid,
                r.rid IS NOT NULL AND ((r.action <> 3 AND r.hash = u.hash AND r.hash_version = p_hash_version)
                    OR (r.seq > p_not_after AND r.writer <> p_writer)) IS TRUE AS keep
            FROM unnest(p_ids, p_hashes) WITH ORDINALITY AS u (external_id, hash, ord)
            LEFT JOIN LATERAL (
                SELECT h.rid, h.hash, h.hash_version, h.action, h.seq, h.writer FROM records.records h
                WHERE h.stream_id = look_up.stream_id AND h.external_id = u.external_id
                    AND h.environment_id = p_environment
                OFFSET 0
            ) r ON true
        ) i;
END
$$;

-- Store what changed, under the stream's lock. outcome: written | gone (no such stream) | moved (what look_up saw is not
-- what is there now: look again, now under the lock, and come back).
CREATE FUNCTION records.write(
    p_environment int, p_key bigint, p_stream_id bigint, p_last_seq bigint,
    p_ids text[], p_hashes bytea[], p_payloads bytea[], p_sizes int[], p_hash_version smallint,
    p_writer int, p_not_after bigint, p_owner uuid, p_seen int[],
    OUT outcome text, OUT added int, OUT updated int, OUT ignored int, OUT last_seq bigint
) LANGUAGE plpgsql VOLATILE
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET enable_bitmapscan = off
SET plan_cache_mode = force_generic_plan SET jit = off
AS $$
#variable_conflict use_column
DECLARE
    s records.streams;
    v_tracked boolean;
    v_now timestamptz;
    v_micros bigint;
    v_new int;
    v_changed int;
    v_bytes bigint;
    v_rids int[];
BEGIN
    added := 0; updated := 0; ignored := 0;
    SELECT * INTO s FROM records.streams t
        WHERE t.environment_id = p_environment AND t.key = p_key FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        outcome := 'gone';
        RETURN;
    END IF;
    v_tracked := EXISTS (SELECT FROM records.generations g WHERE g.stream_key = p_key AND g.environment_id = p_environment);
    IF s.stream_id <> p_stream_id OR (v_tracked AND (p_seen IS NULL OR s.last_seq <> p_last_seq)) THEN
        outcome := 'moved';
        RETURN;
    END IF;
    outcome := 'written';
    v_now := greatest(kit.now(), s.last_modified_at);
    v_micros := records.micros(v_now);
    last_seq := s.last_seq;

    IF cardinality(p_ids) > 0 THEN
        WITH found AS (
            SELECT u.external_id, u.hash, u.payload, u.size, r.rid, r.action, r.payload_seq, r.old_size,
                CASE
                    WHEN r.rid IS NULL THEN 'add'
                    WHEN r.seq > p_not_after AND r.writer <> p_writer THEN 'ignore'
                    WHEN r.action = 3 THEN 'revive'
                    WHEN r.hash = u.hash AND r.hash_version = p_hash_version THEN 'same'
                    ELSE 'update'
                END AS verdict
            FROM unnest(p_ids, p_hashes, p_payloads, p_sizes) AS u (external_id, hash, payload, size)
            LEFT JOIN LATERAL (
                SELECT h.rid, h.hash, h.hash_version, h.action, h.seq, h.writer, h.payload_seq, h.size AS old_size
                FROM records.records h
                WHERE h.stream_id = p_stream_id AND h.external_id = u.external_id AND h.environment_id = p_environment
                OFFSET 0
            ) r ON true
        ), judged AS MATERIALIZED (
            SELECT f.*, p_stream_id AS stream_id,
                s.last_seq + count(*) FILTER (WHERE f.verdict IN ('add', 'revive', 'update')) OVER up_to_here AS new_seq,
                coalesce(f.rid, (s.next_rid - 1 + count(*) FILTER (WHERE f.rid IS NULL) OVER up_to_here)::int) AS new_rid
            FROM found f WINDOW up_to_here AS (ROWS UNBOUNDED PRECEDING)
        ), inserted AS (
            INSERT INTO records.records (stream_id, seq, payload_seq, first_seen, modified, environment_id, rid, size,
                writer, action, hash_version, hash, external_id)
            SELECT p_stream_id, j.new_seq, j.new_seq, v_micros, v_micros, p_environment, j.new_rid, j.size,
                p_writer, 1, p_hash_version, j.hash, j.external_id
            FROM judged j WHERE j.verdict = 'add'
            RETURNING 1
        ), changed AS (
            UPDATE records.records h SET seq = j.new_seq, payload_seq = j.new_seq, modified = v_micros, pruned = NULL,
                size = j.size, writer = p_writer, action = CASE j.verdict WHEN 'revive' THEN 1 ELSE 2 END,
                hash_version = p_hash_version, hash = j.hash
            FROM judged j
            WHERE h.stream_id = j.stream_id AND h.external_id = j.external_id AND h.environment_id = p_environment
                AND j.verdict IN ('revive', 'update')
            RETURNING h.action
        ), dropped AS (
            DELETE FROM records.payloads p USING judged j
            WHERE p.stream_id = j.stream_id AND p.seq = j.payload_seq AND p.environment_id = p_environment
                AND j.verdict IN ('revive', 'update')
        ), stored AS (
            INSERT INTO records.payloads (stream_id, seq, environment_id, payload)
            SELECT p_stream_id, j.new_seq, p_environment, j.payload FROM judged j
            WHERE j.verdict IN ('add', 'revive', 'update')
            RETURNING 1
        )
        SELECT (SELECT count(*) FROM inserted), (SELECT count(*) FROM changed),
               (SELECT count(*) FROM changed c WHERE c.action = 2),
               count(*) FILTER (WHERE j.verdict = 'ignore'),
               coalesce(sum(j.size - coalesce(j.old_size, 0)) FILTER (WHERE j.verdict IN ('add', 'revive', 'update')), 0),
               CASE WHEN v_tracked THEN array_agg(j.new_rid) END
            INTO v_new, v_changed, updated, ignored, v_bytes, v_rids
            FROM judged j;
        added := v_new + v_changed - updated;
        IF v_new + v_changed > 0 THEN
            last_seq := s.last_seq + v_new + v_changed;
            UPDATE records.streams t SET last_seq = write.last_seq, next_rid = s.next_rid + v_new, live = t.live + write.added,
                bytes = t.bytes + v_bytes, last_modified_at = v_now, saved_at = v_now
            WHERE t.environment_id = p_environment AND t.key = p_key;
        END IF;
    END IF;

    IF v_tracked AND cardinality(p_seen || v_rids) > 0 THEN
        INSERT INTO records.seen (stream_key, environment_id, owner, rids)
        SELECT p_key, p_environment, p_owner, range_agg(int4range(r, r, '[]')) FROM unnest(p_seen || v_rids) r;
    END IF;
END
$$;

-- Mark records deleted, keeping their payloads, under the stream's lock. Unknown and already deleted ids are left out.
CREATE FUNCTION records.delete(
    p_environment int, p_key bigint, p_ids text[], p_writer int, p_not_after bigint,
    OUT outcome text, OUT deleted int
) LANGUAGE plpgsql VOLATILE
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET enable_bitmapscan = off
SET plan_cache_mode = force_generic_plan SET jit = off
AS $$
#variable_conflict use_column
DECLARE
    s records.streams;
    v_now timestamptz;
    v_micros bigint;
BEGIN
    deleted := 0;
    SELECT * INTO s FROM records.streams t
        WHERE t.environment_id = p_environment AND t.key = p_key FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        outcome := 'gone';
        RETURN;
    END IF;
    outcome := 'written';
    v_now := greatest(kit.now(), s.last_modified_at);
    v_micros := records.micros(v_now);
    WITH doomed AS MATERIALIZED (
        SELECT s.stream_id, r.external_id, s.last_seq + row_number() OVER () AS new_seq
        FROM unnest(p_ids) AS u (external_id)
        CROSS JOIN LATERAL (
            SELECT h.external_id FROM records.records h
            WHERE h.stream_id = s.stream_id AND h.external_id = u.external_id AND h.environment_id = p_environment
                AND h.action <> 3 AND (p_not_after IS NULL OR h.seq <= p_not_after OR h.writer = p_writer)
            OFFSET 0
        ) r
    ), gone AS (
        UPDATE records.records h SET seq = d.new_seq, modified = v_micros, action = 3, writer = p_writer
        FROM doomed d
        WHERE h.stream_id = d.stream_id AND h.external_id = d.external_id AND h.environment_id = p_environment
        RETURNING 1
    )
    SELECT count(*) INTO deleted FROM gone;
    IF deleted > 0 THEN
        UPDATE records.streams t SET last_seq = s.last_seq + delete.deleted, live = t.live - delete.deleted,
            last_modified_at = v_now, saved_at = v_now
        WHERE t.environment_id = p_environment AND t.key = p_key;
    END IF;
END
$$;

-- A page of the feed. The first row describes the stream (payload: the connection's uuid, seq: its key,
-- first_seen: its highest position); a last row with
-- action 0 says that more may follow, from `seq`. Reads one snapshot (STABLE). p_after < 0: from the start.
CREATE FUNCTION records.page(
    p_environment int, p_connection bigint, p_model text, p_variant text,
    p_after bigint, p_limit int, p_actions smallint[], p_modified_after bigint, p_bytes bigint, p_budget int
) RETURNS TABLE (
    seq bigint, external_id text, action smallint, first_seen bigint, modified bigint, pruned bigint, payload bytea
) LANGUAGE plpgsql STABLE
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET enable_bitmapscan = off
SET enable_sort = off SET plan_cache_mode = force_generic_plan SET jit = off SET work_mem = '32MB'
AS $$
#variable_conflict use_column
DECLARE
    s records.streams;
    v_after bigint := greatest(p_after, 0);
    v_from bigint;
    v_to bigint;
    v_middle bigint;
    v_at bigint;
    v_found int;
BEGIN
    SELECT * INTO s FROM records.streams t
        WHERE t.environment_id = p_environment AND t.connection_row_id = p_connection
            AND t.model = p_model AND t.variant = p_variant;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    RETURN QUERY SELECT s.key, NULL::text, 0::smallint, s.last_seq, NULL::bigint, NULL::bigint,
        uuid_send(s.connection_uuid);

    IF p_modified_after IS NOT NULL THEN
        -- modified never falls as seq rises: halve the range of positions until the first row at or after it.
        v_from := v_after + 1;
        v_to := s.last_seq + 1;
        WHILE v_from < v_to LOOP
            v_middle := (v_from + v_to) / 2;
            SELECT h.modified INTO v_at FROM records.records h
                WHERE h.stream_id = s.stream_id AND h.stream_id + 0 = s.stream_id AND h.seq >= v_middle AND h.environment_id = p_environment
                ORDER BY h.seq LIMIT 1;
            IF NOT FOUND OR v_at >= p_modified_after THEN
                v_to := v_middle;
            ELSE
                v_from := v_middle + 1;
            END IF;
        END LOOP;
        v_after := v_from - 1;
    END IF;

    IF p_actions IS NULL THEN
        -- The highest position is always a row's, so a row below it at the end says that more follows.
        RETURN QUERY
        WITH heads AS MATERIALIZED (
            SELECT h.seq, h.external_id, h.action, h.first_seen, h.modified, h.pruned, h.payload_seq, h.size
            FROM records.records h
            WHERE h.stream_id = s.stream_id AND h.stream_id + 0 = s.stream_id AND h.seq > v_after AND h.environment_id = p_environment
            ORDER BY h.seq LIMIT p_limit
        ), sized AS (
            SELECT t.*, sum(t.size) OVER (ROWS UNBOUNDED PRECEDING) - t.size < p_bytes AS fits FROM heads t
        )
        SELECT c.seq, c.external_id, CASE WHEN c.fits THEN c.action ELSE 0::smallint END,
            c.first_seen, c.modified, c.pruned,
            CASE WHEN c.fits THEN (
                SELECT p.payload FROM records.payloads p
                WHERE p.stream_id = s.stream_id AND p.seq = c.payload_seq AND p.environment_id = p_environment
            ) END
        FROM sized c;
        RETURN;
    END IF;

    IF p_actions = ARRAY[3::smallint] THEN
        RETURN QUERY
        WITH heads AS MATERIALIZED (
            SELECT h.seq, h.external_id, h.action, h.first_seen, h.modified, h.pruned, h.payload_seq, h.size
            FROM records.records h
            WHERE h.stream_id = s.stream_id AND h.stream_id + 1 = s.stream_id + 1 AND h.seq > v_after AND h.action = 3 AND h.environment_id = p_environment
            ORDER BY h.seq LIMIT p_limit + 1
        ), sized AS (
            SELECT t.*, count(*) OVER up_to_here AS n, sum(t.size) OVER up_to_here - t.size AS before
            FROM heads t WINDOW up_to_here AS (ROWS UNBOUNDED PRECEDING)
        )
        SELECT c.seq, c.external_id, CASE WHEN c.n <= p_limit AND c.before < p_bytes THEN c.action ELSE 0::smallint END,
            c.first_seen, c.modified, c.pruned,
            CASE WHEN c.n <= p_limit AND c.before < p_bytes THEN (
                SELECT p.payload FROM records.payloads p
                WHERE p.stream_id = s.stream_id AND p.seq = c.payload_seq AND p.environment_id = p_environment
            ) END
        FROM sized c;
        RETURN;
    END IF;

    -- Any other filter walks at most p_budget rows; a page that ends there says so, and the next one goes on.
    RETURN QUERY
    WITH heads AS MATERIALIZED (
        SELECT h.* FROM (
            SELECT h.seq, h.external_id, h.action, h.first_seen, h.modified, h.pruned, h.payload_seq, h.size
            FROM records.records h
            WHERE h.stream_id = s.stream_id AND h.stream_id + 0 = s.stream_id AND h.seq > v_after AND h.environment_id = p_environment
            ORDER BY h.seq LIMIT p_budget
        ) h
        WHERE h.action = ANY (p_actions) LIMIT p_limit + 1
    ), sized AS (
        SELECT t.*, count(*) OVER up_to_here AS n, sum(t.size) OVER up_to_here - t.size AS before
        FROM heads t WINDOW up_to_here AS (ROWS UNBOUNDED PRECEDING)
    )
    SELECT c.seq, c.external_id, CASE WHEN c.n <= p_limit AND c.before < p_bytes THEN c.action ELSE 0::smallint END,
        c.first_seen, c.modified, c.pruned,
        CASE WHEN c.n <= p_limit AND c.before < p_bytes THEN (
            SELECT p.payload FROM records.payloads p
            WHERE p.stream_id = s.stream_id AND p.seq = c.payload_seq AND p.environment_id = p_environment
        ) END
    FROM sized c;
    GET DIAGNOSTICS v_found = ROW_COUNT;
    IF v_found <= p_limit THEN
        RETURN QUERY
        SELECT b.seq, NULL::text, 0::smallint, NULL::bigint, NULL::bigint, NULL::bigint, NULL::bytea
        FROM (
            SELECT h.seq FROM records.records h
            WHERE h.stream_id = s.stream_id AND h.stream_id + 0 = s.stream_id AND h.seq > v_after AND h.environment_id = p_environment
            ORDER BY h.seq OFFSET p_budget - 1 LIMIT 1
        ) b
        WHERE b.seq < s.last_seq;
    END IF;
END
$$;

-- Records by id, oldest position first; the same shape as records.page, the first row describing the stream.
CREATE FUNCTION records.by_ids(
    p_environment int, p_connection bigint, p_model text, p_variant text, p_ids text[]
) RETURNS TABLE (
    seq bigint, external_id text, action smallint, first_seen bigint, modified bigint, pruned bigint, payload bytea
) LANGUAGE plpgsql STABLE
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET enable_bitmapscan = off
SET plan_cache_mode = force_generic_plan SET jit = off
AS $$
#variable_conflict use_column
DECLARE
    s records.streams;
BEGIN
    SELECT * INTO s FROM records.streams t
        WHERE t.environment_id = p_environment AND t.connection_row_id = p_connection
            AND t.model = p_model AND t.variant = p_variant;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    RETURN QUERY SELECT s.key, NULL::text, 0::smallint, NULL::bigint, NULL::bigint, NULL::bigint,
        uuid_send(s.connection_uuid);
    RETURN QUERY
    SELECT r.seq, r.external_id, r.action, r.first_seen, r.modified, r.pruned, (
            SELECT p.payload FROM records.payloads p
            WHERE p.stream_id = s.stream_id AND p.seq = r.payload_seq AND p.environment_id = p_environment
        )
    FROM (SELECT DISTINCT u.external_id FROM unnest(p_ids) AS u (external_id)) u
    CROSS JOIN LATERAL (
        SELECT h.seq, h.external_id, h.action, h.first_seen, h.modified, h.pruned, h.payload_seq
        FROM records.records h
        WHERE h.stream_id = s.stream_id AND h.external_id = u.external_id COLLATE "C" AND h.environment_id = p_environment
        OFFSET 0
    ) r
    ORDER BY r.seq;
END
$$;
