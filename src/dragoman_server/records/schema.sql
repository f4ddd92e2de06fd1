-- What this part's migrations make of an empty database. Written by scripts/dump_schema.py; do not edit.

CREATE SCHEMA records;
CREATE FUNCTION records.by_ids(p_environment integer, p_connection bigint, p_model text, p_variant text, p_ids text[]) RETURNS TABLE(seq bigint, external_id text, action smallint, first_seen bigint, modified bigint, pruned bigint, payload bytea)
    LANGUAGE plpgsql STABLE
    SET enable_seqscan TO 'off'
    SET enable_hashjoin TO 'off'
    SET enable_mergejoin TO 'off'
    SET enable_bitmapscan TO 'off'
    SET plan_cache_mode TO 'force_generic_plan'
    SET jit TO 'off'
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
CREATE FUNCTION records.delete(p_environment integer, p_key bigint, p_ids text[], p_writer integer, p_not_after bigint, OUT outcome text, OUT deleted integer) RETURNS record
    LANGUAGE plpgsql
    SET enable_seqscan TO 'off'
    SET enable_hashjoin TO 'off'
    SET enable_mergejoin TO 'off'
    SET enable_bitmapscan TO 'off'
    SET plan_cache_mode TO 'force_generic_plan'
    SET jit TO 'off'
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
CREATE FUNCTION records.look_up(p_environment integer, p_connection bigint, p_model text, p_variant text, p_ids text[], p_hashes bytea[], p_hash_version smallint, p_writer integer, p_not_after bigint, OUT stream_key bigint, OUT stream_id bigint, OUT connection_uuid uuid, OUT last_seq bigint, OUT tracked boolean, OUT stale boolean, OUT changed integer[], OUT rids integer[]) RETURNS record
    LANGUAGE plpgsql
    SET enable_seqscan TO 'off'
    SET enable_hashjoin TO 'off'
    SET enable_mergejoin TO 'off'
    SET enable_bitmapscan TO 'off'
    SET plan_cache_mode TO 'force_generic_plan'
    SET jit TO 'off'
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
CREATE FUNCTION records.micros(p_at timestamp with time zone) RETURNS bigint
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$ SELECT (extract(epoch FROM p_at) * 1000000)::bigint $$;
CREATE FUNCTION records.page(p_environment integer, p_connection bigint, p_model text, p_variant text, p_after bigint, p_limit integer, p_actions smallint[], p_modified_after bigint, p_bytes bigint, p_budget integer) RETURNS TABLE(seq bigint, external_id text, action smallint, first_seen bigint, modified bigint, pruned bigint, payload bytea)
    LANGUAGE plpgsql STABLE
    SET enable_seqscan TO 'off'
    SET enable_hashjoin TO 'off'
    SET enable_mergejoin TO 'off'
    SET enable_bitmapscan TO 'off'
    SET enable_sort TO 'off'
    SET plan_cache_mode TO 'force_generic_plan'
    SET jit TO 'off'
    SET work_mem TO '32MB'
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
CREATE FUNCTION records.prunable(p_key bigint, p_window integer, p_before bigint) RETURNS TABLE(environment_id integer, key bigint, old boolean)
    LANGUAGE sql STABLE
    SET enable_seqscan TO 'off'
    SET enable_hashjoin TO 'off'
    SET enable_mergejoin TO 'off'
    SET enable_bitmapscan TO 'off'
    SET enable_sort TO 'off'
    SET jit TO 'off'
    AS $$
    SELECT s.environment_id, s.key, s.prune_floor < s.last_seq AND coalesce((
            SELECT h.modified < p_before FROM records.records h
            WHERE h.stream_id = s.stream_id AND h.stream_id + 0 = s.stream_id AND h.seq > s.prune_floor AND h.environment_id = s.environment_id
            ORDER BY h.seq LIMIT 1), false)
    FROM (SELECT * FROM records.streams t WHERE t.key > p_key ORDER BY t.key LIMIT p_window) s
    ORDER BY s.key
$$;
CREATE FUNCTION records.prune(p_environment integer, p_key bigint, p_until bigint, p_before bigint, p_limit integer, OUT pruned integer, OUT has_more boolean) RETURNS record
    LANGUAGE plpgsql
    SET enable_seqscan TO 'off'
    SET enable_hashjoin TO 'off'
    SET enable_mergejoin TO 'off'
    SET enable_bitmapscan TO 'off'
    SET enable_sort TO 'off'
    SET plan_cache_mode TO 'force_generic_plan'
    SET jit TO 'off'
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
CREATE FUNCTION records.purge(p_environment integer, p_stream_id bigint, p_limit integer) RETURNS integer
    LANGUAGE plpgsql
    SET enable_seqscan TO 'off'
    SET enable_hashjoin TO 'off'
    SET enable_mergejoin TO 'off'
    SET enable_bitmapscan TO 'off'
    SET enable_sort TO 'off'
    SET plan_cache_mode TO 'force_generic_plan'
    SET jit TO 'off'
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
CREATE FUNCTION records.sealed_after(p_environment integer, p_key bigint, p_seq bigint, p_limit integer) RETURNS TABLE(seq bigint, external_id text, stream_id bigint, payload_seq bigint, payload bytea)
    LANGUAGE sql STABLE
    SET enable_seqscan TO 'off'
    SET enable_hashjoin TO 'off'
    SET enable_mergejoin TO 'off'
    SET enable_bitmapscan TO 'off'
    SET enable_sort TO 'off'
    SET jit TO 'off'
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
CREATE FUNCTION records.sweep_unseen(p_environment integer, p_key bigint, p_owner uuid, p_bitmap bytea, p_writer integer, p_limit integer, OUT swept integer, OUT deleted integer) RETURNS record
    LANGUAGE plpgsql
    SET enable_seqscan TO 'off'
    SET enable_hashjoin TO 'off'
    SET enable_mergejoin TO 'off'
    SET enable_bitmapscan TO 'off'
    SET enable_sort TO 'off'
    SET plan_cache_mode TO 'force_generic_plan'
    SET jit TO 'off'
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
CREATE FUNCTION records.write(p_environment integer, p_key bigint, p_stream_id bigint, p_last_seq bigint, p_ids text[], p_hashes bytea[], p_payloads bytea[], p_sizes integer[], p_hash_version smallint, p_writer integer, p_not_after bigint, p_owner uuid, p_seen integer[], OUT outcome text, OUT added integer, OUT updated integer, OUT ignored integer, OUT last_seq bigint) RETURNS record
    LANGUAGE plpgsql
    SET enable_seqscan TO 'off'
    SET enable_hashjoin TO 'off'
    SET enable_mergejoin TO 'off'
    SET enable_bitmapscan TO 'off'
    SET plan_cache_mode TO 'force_generic_plan'
    SET jit TO 'off'
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
CREATE TABLE records.batches (
    owner uuid NOT NULL,
    run_id uuid NOT NULL,
    attempt integer NOT NULL,
    batch integer NOT NULL,
    environment_id integer NOT NULL,
    answer text NOT NULL
);
CREATE TABLE records.checkpoints (
    owner uuid NOT NULL,
    environment_id integer NOT NULL,
    body text,
    version integer DEFAULT 1 NOT NULL,
    saved_at timestamp with time zone DEFAULT kit.now() NOT NULL
)
WITH (fillfactor='50');
CREATE SEQUENCE records.chunk_numbers
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
CREATE TABLE records.erased (
    environment_id integer NOT NULL,
    connection_row_id bigint NOT NULL,
    erased_at timestamp with time zone DEFAULT kit.now() NOT NULL
);
CREATE TABLE records.fences (
    owner uuid NOT NULL,
    environment_id integer NOT NULL,
    run_id uuid NOT NULL,
    attempt integer NOT NULL,
    past uuid[] DEFAULT '{}'::uuid[] NOT NULL,
    begun_at timestamp with time zone DEFAULT kit.now() NOT NULL
)
WITH (fillfactor='50');
CREATE TABLE records.generations (
    stream_key bigint NOT NULL,
    owner uuid NOT NULL,
    environment_id integer NOT NULL,
    run_id uuid NOT NULL,
    attempt integer NOT NULL,
    stream_id bigint NOT NULL,
    first_chunk bigint NOT NULL,
    start_seq bigint NOT NULL,
    closing boolean DEFAULT false NOT NULL,
    "position" bigint DEFAULT 0 NOT NULL,
    deleted bigint DEFAULT 0 NOT NULL,
    opened_at timestamp with time zone DEFAULT kit.now() NOT NULL
);
CREATE TABLE records.payloads (
    stream_id bigint NOT NULL,
    seq bigint NOT NULL,
    environment_id integer NOT NULL,
    payload bytea NOT NULL
)
PARTITION BY HASH (stream_id);
ALTER TABLE ONLY records.payloads ALTER COLUMN payload SET STORAGE EXTERNAL;
CREATE TABLE records.payloads_0 (
    stream_id bigint CONSTRAINT payloads_stream_id_not_null NOT NULL,
    seq bigint CONSTRAINT payloads_seq_not_null NOT NULL,
    environment_id integer CONSTRAINT payloads_environment_id_not_null NOT NULL,
    payload bytea CONSTRAINT payloads_payload_not_null NOT NULL
)
WITH (autovacuum_vacuum_scale_factor='0.05', autovacuum_analyze_scale_factor='0.1');
ALTER TABLE ONLY records.payloads_0 ALTER COLUMN payload SET STORAGE EXTERNAL;
CREATE TABLE records.payloads_1 (
    stream_id bigint CONSTRAINT payloads_stream_id_not_null NOT NULL,
    seq bigint CONSTRAINT payloads_seq_not_null NOT NULL,
    environment_id integer CONSTRAINT payloads_environment_id_not_null NOT NULL,
    payload bytea CONSTRAINT payloads_payload_not_null NOT NULL
)
WITH (autovacuum_vacuum_scale_factor='0.05', autovacuum_analyze_scale_factor='0.1');
ALTER TABLE ONLY records.payloads_1 ALTER COLUMN payload SET STORAGE EXTERNAL;
CREATE TABLE records.payloads_10 (
    stream_id bigint CONSTRAINT payloads_stream_id_not_null NOT NULL,
    seq bigint CONSTRAINT payloads_seq_not_null NOT NULL,
    environment_id integer CONSTRAINT payloads_environment_id_not_null NOT NULL,
    payload bytea CONSTRAINT payloads_payload_not_null NOT NULL
)
WITH (autovacuum_vacuum_scale_factor='0.05', autovacuum_analyze_scale_factor='0.1');
ALTER TABLE ONLY records.payloads_10 ALTER COLUMN payload SET STORAGE EXTERNAL;
CREATE TABLE records.payloads_11 (
    stream_id bigint CONSTRAINT payloads_stream_id_not_null NOT NULL,
    seq bigint CONSTRAINT payloads_seq_not_null NOT NULL,
    environment_id integer CONSTRAINT payloads_environment_id_not_null NOT NULL,
    payload bytea CONSTRAINT payloads_payload_not_null NOT NULL
)
WITH (autovacuum_vacuum_scale_factor='0.05', autovacuum_analyze_scale_factor='0.1');
ALTER TABLE ONLY records.payloads_11 ALTER COLUMN payload SET STORAGE EXTERNAL;
CREATE TABLE records.payloads_12 (
    stream_id bigint CONSTRAINT payloads_stream_id_not_null NOT NULL,
    seq bigint CONSTRAINT payloads_seq_not_null NOT NULL,
    environment_id integer CONSTRAINT payloads_environment_id_not_null NOT NULL,
    payload bytea CONSTRAINT payloads_payload_not_null NOT NULL
)
WITH (autovacuum_vacuum_scale_factor='0.05', autovacuum_analyze_scale_factor='0.1');
ALTER TABLE ONLY records.payloads_12 ALTER COLUMN payload SET STORAGE EXTERNAL;
CREATE TABLE records.payloads_13 (
    stream_id bigint CONSTRAINT payloads_stream_id_not_null NOT NULL,
    seq bigint CONSTRAINT payloads_seq_not_null NOT NULL,
    environment_id integer CONSTRAINT payloads_environment_id_not_null NOT NULL,
    payload bytea CONSTRAINT payloads_payload_not_null NOT NULL
)
WITH (autovacuum_vacuum_scale_factor='0.05', autovacuum_analyze_scale_factor='0.1');
ALTER TABLE ONLY records.payloads_13 ALTER COLUMN payload SET STORAGE EXTERNAL;
CREATE TABLE records.payloads_14 (
    stream_id bigint CONSTRAINT payloads_stream_id_not_null NOT NULL,
    seq bigint CONSTRAINT payloads_seq_not_null NOT NULL,
    environment_id integer CONSTRAINT payloads_environment_id_not_null NOT NULL,
    payload bytea CONSTRAINT payloads_payload_not_null NOT NULL
)
WITH (autovacuum_vacuum_scale_factor='0.05', autovacuum_analyze_scale_factor='0.1');
ALTER TABLE ONLY records.payloads_14 ALTER COLUMN payload SET STORAGE EXTERNAL;
CREATE TABLE records.payloads_15 (
    stream_id bigint CONSTRAINT payloads_stream_id_not_null NOT NULL,
    seq bigint CONSTRAINT payloads_seq_not_null NOT NULL,
    environment_id integer CONSTRAINT payloads_environment_id_not_null NOT NULL,
    payload bytea CONSTRAINT payloads_payload_not_null NOT NULL
)
WITH (autovacuum_vacuum_scale_factor='0.05', autovacuum_analyze_scale_factor='0.1');
ALTER TABLE ONLY records.payloads_15 ALTER COLUMN payload SET STORAGE EXTERNAL;
CREATE TABLE records.payloads_2 (
    stream_id bigint CONSTRAINT payloads_stream_id_not_null NOT NULL,
    seq bigint CONSTRAINT payloads_seq_not_null NOT NULL,
    environment_id integer CONSTRAINT payloads_environment_id_not_null NOT NULL,
    payload bytea CONSTRAINT payloads_payload_not_null NOT NULL
)
WITH (autovacuum_vacuum_scale_factor='0.05', autovacuum_analyze_scale_factor='0.1');
ALTER TABLE ONLY records.payloads_2 ALTER COLUMN payload SET STORAGE EXTERNAL;
CREATE TABLE records.payloads_3 (
    stream_id bigint CONSTRAINT payloads_stream_id_not_null NOT NULL,
    seq bigint CONSTRAINT payloads_seq_not_null NOT NULL,
    environment_id integer CONSTRAINT payloads_environment_id_not_null NOT NULL,
    payload bytea CONSTRAINT payloads_payload_not_null NOT NULL
)
WITH (autovacuum_vacuum_scale_factor='0.05', autovacuum_analyze_scale_factor='0.1');
ALTER TABLE ONLY records.payloads_3 ALTER COLUMN payload SET STORAGE EXTERNAL;
CREATE TABLE records.payloads_4 (
    stream_id bigint CONSTRAINT payloads_stream_id_not_null NOT NULL,
    seq bigint CONSTRAINT payloads_seq_not_null NOT NULL,
    environment_id integer CONSTRAINT payloads_environment_id_not_null NOT NULL,
    payload bytea CONSTRAINT payloads_payload_not_null NOT NULL
)
WITH (autovacuum_vacuum_scale_factor='0.05', autovacuum_analyze_scale_factor='0.1');
ALTER TABLE ONLY records.payloads_4 ALTER COLUMN payload SET STORAGE EXTERNAL;
CREATE TABLE records.payloads_5 (
    stream_id bigint CONSTRAINT payloads_stream_id_not_null NOT NULL,
    seq bigint CONSTRAINT payloads_seq_not_null NOT NULL,
    environment_id integer CONSTRAINT payloads_environment_id_not_null NOT NULL,
    payload bytea CONSTRAINT payloads_payload_not_null NOT NULL
)
WITH (autovacuum_vacuum_scale_factor='0.05', autovacuum_analyze_scale_factor='0.1');
ALTER TABLE ONLY records.payloads_5 ALTER COLUMN payload SET STORAGE EXTERNAL;
CREATE TABLE records.payloads_6 (
    stream_id bigint CONSTRAINT payloads_stream_id_not_null NOT NULL,
    seq bigint CONSTRAINT payloads_seq_not_null NOT NULL,
    environment_id integer CONSTRAINT payloads_environment_id_not_null NOT NULL,
    payload bytea CONSTRAINT payloads_payload_not_null NOT NULL
)
WITH (autovacuum_vacuum_scale_factor='0.05', autovacuum_analyze_scale_factor='0.1');
ALTER TABLE ONLY records.payloads_6 ALTER COLUMN payload SET STORAGE EXTERNAL;
CREATE TABLE records.payloads_7 (
    stream_id bigint CONSTRAINT payloads_stream_id_not_null NOT NULL,
    seq bigint CONSTRAINT payloads_seq_not_null NOT NULL,
    environment_id integer CONSTRAINT payloads_environment_id_not_null NOT NULL,
    payload bytea CONSTRAINT payloads_payload_not_null NOT NULL
)
WITH (autovacuum_vacuum_scale_factor='0.05', autovacuum_analyze_scale_factor='0.1');
ALTER TABLE ONLY records.payloads_7 ALTER COLUMN payload SET STORAGE EXTERNAL;
CREATE TABLE records.payloads_8 (
    stream_id bigint CONSTRAINT payloads_stream_id_not_null NOT NULL,
    seq bigint CONSTRAINT payloads_seq_not_null NOT NULL,
    environment_id integer CONSTRAINT payloads_environment_id_not_null NOT NULL,
    payload bytea CONSTRAINT payloads_payload_not_null NOT NULL
)
WITH (autovacuum_vacuum_scale_factor='0.05', autovacuum_analyze_scale_factor='0.1');
ALTER TABLE ONLY records.payloads_8 ALTER COLUMN payload SET STORAGE EXTERNAL;
CREATE TABLE records.payloads_9 (
    stream_id bigint CONSTRAINT payloads_stream_id_not_null NOT NULL,
    seq bigint CONSTRAINT payloads_seq_not_null NOT NULL,
    environment_id integer CONSTRAINT payloads_environment_id_not_null NOT NULL,
    payload bytea CONSTRAINT payloads_payload_not_null NOT NULL
)
WITH (autovacuum_vacuum_scale_factor='0.05', autovacuum_analyze_scale_factor='0.1');
ALTER TABLE ONLY records.payloads_9 ALTER COLUMN payload SET STORAGE EXTERNAL;
CREATE TABLE records.purges (
    stream_id bigint NOT NULL,
    environment_id integer NOT NULL,
    since timestamp with time zone DEFAULT kit.now() NOT NULL
);
CREATE TABLE records.records (
    stream_id bigint NOT NULL,
    seq bigint NOT NULL,
    payload_seq bigint,
    first_seen bigint NOT NULL,
    modified bigint NOT NULL,
    pruned bigint,
    environment_id integer NOT NULL,
    rid integer NOT NULL,
    size integer NOT NULL,
    writer integer NOT NULL,
    action smallint NOT NULL,
    hash_version smallint NOT NULL,
    hash bytea NOT NULL,
    external_id text NOT NULL COLLATE pg_catalog."C",
    CONSTRAINT records_action_check CHECK (((action >= 1) AND (action <= 3)))
)
PARTITION BY HASH (stream_id);
CREATE TABLE records.records_0 (
    stream_id bigint CONSTRAINT records_stream_id_not_null NOT NULL,
    seq bigint CONSTRAINT records_seq_not_null NOT NULL,
    payload_seq bigint,
    first_seen bigint CONSTRAINT records_first_seen_not_null NOT NULL,
    modified bigint CONSTRAINT records_modified_not_null NOT NULL,
    pruned bigint,
    environment_id integer CONSTRAINT records_environment_id_not_null NOT NULL,
    rid integer CONSTRAINT records_rid_not_null NOT NULL,
    size integer CONSTRAINT records_size_not_null NOT NULL,
    writer integer CONSTRAINT records_writer_not_null NOT NULL,
    action smallint CONSTRAINT records_action_not_null NOT NULL,
    hash_version smallint CONSTRAINT records_hash_version_not_null NOT NULL,
    hash bytea CONSTRAINT records_hash_not_null NOT NULL,
    external_id text CONSTRAINT records_external_id_not_null NOT NULL COLLATE pg_catalog."C",
    CONSTRAINT records_action_check CHECK (((action >= 1) AND (action <= 3)))
)
WITH (autovacuum_vacuum_scale_factor='0.05', autovacuum_analyze_scale_factor='0.1');
CREATE TABLE records.records_1 (
    stream_id bigint CONSTRAINT records_stream_id_not_null NOT NULL,
    seq bigint CONSTRAINT records_seq_not_null NOT NULL,
    payload_seq bigint,
    first_seen bigint CONSTRAINT records_first_seen_not_null NOT NULL,
    modified bigint CONSTRAINT records_modified_not_null NOT NULL,
    pruned bigint,
    environment_id integer CONSTRAINT records_environment_id_not_null NOT NULL,
    rid integer CONSTRAINT records_rid_not_null NOT NULL,
    size integer CONSTRAINT records_size_not_null NOT NULL,
    writer integer CONSTRAINT records_writer_not_null NOT NULL,
    action smallint CONSTRAINT records_action_not_null NOT NULL,
    hash_version smallint CONSTRAINT records_hash_version_not_null NOT NULL,
    hash bytea CONSTRAINT records_hash_not_null NOT NULL,
    external_id text CONSTRAINT records_external_id_not_null NOT NULL COLLATE pg_catalog."C",
    CONSTRAINT records_action_check CHECK (((action >= 1) AND (action <= 3)))
)
WITH (autovacuum_vacuum_scale_factor='0.05', autovacuum_analyze_scale_factor='0.1');
CREATE TABLE records.records_10 (
    stream_id bigint CONSTRAINT records_stream_id_not_null NOT NULL,
    seq bigint CONSTRAINT records_seq_not_null NOT NULL,
    payload_seq bigint,
    first_seen bigint CONSTRAINT records_first_seen_not_null NOT NULL,
    modified bigint CONSTRAINT records_modified_not_null NOT NULL,
    pruned bigint,
    environment_id integer CONSTRAINT records_environment_id_not_null NOT NULL,
    rid integer CONSTRAINT records_rid_not_null NOT NULL,
    size integer CONSTRAINT records_size_not_null NOT NULL,
    writer integer CONSTRAINT records_writer_not_null NOT NULL,
    action smallint CONSTRAINT records_action_not_null NOT NULL,
    hash_version smallint CONSTRAINT records_hash_version_not_null NOT NULL,
    hash bytea CONSTRAINT records_hash_not_null NOT NULL,
    external_id text CONSTRAINT records_external_id_not_null NOT NULL COLLATE pg_catalog."C",
    CONSTRAINT records_action_check CHECK (((action >= 1) AND (action <= 3)))
)
WITH (autovacuum_vacuum_scale_factor='0.05', autovacuum_analyze_scale_factor='0.1');
CREATE TABLE records.records_11 (
    stream_id bigint CONSTRAINT records_stream_id_not_null NOT NULL,
    seq bigint CONSTRAINT records_seq_not_null NOT NULL,
    payload_seq bigint,
    first_seen bigint CONSTRAINT records_first_seen_not_null NOT NULL,
    modified bigint CONSTRAINT records_modified_not_null NOT NULL,
    pruned bigint,
    environment_id integer CONSTRAINT records_environment_id_not_null NOT NULL,
    rid integer CONSTRAINT records_rid_not_null NOT NULL,
    size integer CONSTRAINT records_size_not_null NOT NULL,
    writer integer CONSTRAINT records_writer_not_null NOT NULL,
    action smallint CONSTRAINT records_action_not_null NOT NULL,
    hash_version smallint CONSTRAINT records_hash_version_not_null NOT NULL,
    hash bytea CONSTRAINT records_hash_not_null NOT NULL,
    external_id text CONSTRAINT records_external_id_not_null NOT NULL COLLATE pg_catalog."C",
    CONSTRAINT records_action_check CHECK (((action >= 1) AND (action <= 3)))
)
WITH (autovacuum_vacuum_scale_factor='0.05', autovacuum_analyze_scale_factor='0.1');
CREATE TABLE records.records_12 (
    stream_id bigint CONSTRAINT records_stream_id_not_null NOT NULL,
    seq bigint CONSTRAINT records_seq_not_null NOT NULL,
    payload_seq bigint,
    first_seen bigint CONSTRAINT records_first_seen_not_null NOT NULL,
    modified bigint CONSTRAINT records_modified_not_null NOT NULL,
    pruned bigint,
    environment_id integer CONSTRAINT records_environment_id_not_null NOT NULL,
    rid integer CONSTRAINT records_rid_not_null NOT NULL,
    size integer CONSTRAINT records_size_not_null NOT NULL,
    writer integer CONSTRAINT records_writer_not_null NOT NULL,
    action smallint CONSTRAINT records_action_not_null NOT NULL,
    hash_version smallint CONSTRAINT records_hash_version_not_null NOT NULL,
    hash bytea CONSTRAINT records_hash_not_null NOT NULL,
    external_id text CONSTRAINT records_external_id_not_null NOT NULL COLLATE pg_catalog."C",
    CONSTRAINT records_action_check CHECK (((action >= 1) AND (action <= 3)))
)
WITH (autovacuum_vacuum_scale_factor='0.05', autovacuum_analyze_scale_factor='0.1');
CREATE TABLE records.records_13 (
    stream_id bigint CONSTRAINT records_stream_id_not_null NOT NULL,
    seq bigint CONSTRAINT records_seq_not_null NOT NULL,
    payload_seq bigint,
    first_seen bigint CONSTRAINT records_first_seen_not_null NOT NULL,
    modified bigint CONSTRAINT records_modified_not_null NOT NULL,
    pruned bigint,
    environment_id integer CONSTRAINT records_environment_id_not_null NOT NULL,
    rid integer CONSTRAINT records_rid_not_null NOT NULL,
    size integer CONSTRAINT records_size_not_null NOT NULL,
    writer integer CONSTRAINT records_writer_not_null NOT NULL,
    action smallint CONSTRAINT records_action_not_null NOT NULL,
    hash_version smallint CONSTRAINT records_hash_version_not_null NOT NULL,
    hash bytea CONSTRAINT records_hash_not_null NOT NULL,
    external_id text CONSTRAINT records_external_id_not_null NOT NULL COLLATE pg_catalog."C",
    CONSTRAINT records_action_check CHECK (((action >= 1) AND (action <= 3)))
)
WITH (autovacuum_vacuum_scale_factor='0.05', autovacuum_analyze_scale_factor='0.1');
CREATE TABLE records.records_14 (
    stream_id bigint CONSTRAINT records_stream_id_not_null NOT NULL,
    seq bigint CONSTRAINT records_seq_not_null NOT NULL,
    payload_seq bigint,
    first_seen bigint CONSTRAINT records_first_seen_not_null NOT NULL,
    modified bigint CONSTRAINT records_modified_not_null NOT NULL,
    pruned bigint,
    environment_id integer CONSTRAINT records_environment_id_not_null NOT NULL,
    rid integer CONSTRAINT records_rid_not_null NOT NULL,
    size integer CONSTRAINT records_size_not_null NOT NULL,
    writer integer CONSTRAINT records_writer_not_null NOT NULL,
    action smallint CONSTRAINT records_action_not_null NOT NULL,
    hash_version smallint CONSTRAINT records_hash_version_not_null NOT NULL,
    hash bytea CONSTRAINT records_hash_not_null NOT NULL,
    external_id text CONSTRAINT records_external_id_not_null NOT NULL COLLATE pg_catalog."C",
    CONSTRAINT records_action_check CHECK (((action >= 1) AND (action <= 3)))
)
WITH (autovacuum_vacuum_scale_factor='0.05', autovacuum_analyze_scale_factor='0.1');
CREATE TABLE records.records_15 (
    stream_id bigint CONSTRAINT records_stream_id_not_null NOT NULL,
    seq bigint CONSTRAINT records_seq_not_null NOT NULL,
    payload_seq bigint,
    first_seen bigint CONSTRAINT records_first_seen_not_null NOT NULL,
    modified bigint CONSTRAINT records_modified_not_null NOT NULL,
    pruned bigint,
    environment_id integer CONSTRAINT records_environment_id_not_null NOT NULL,
    rid integer CONSTRAINT records_rid_not_null NOT NULL,
    size integer CONSTRAINT records_size_not_null NOT NULL,
    writer integer CONSTRAINT records_writer_not_null NOT NULL,
    action smallint CONSTRAINT records_action_not_null NOT NULL,
    hash_version smallint CONSTRAINT records_hash_version_not_null NOT NULL,
    hash bytea CONSTRAINT records_hash_not_null NOT NULL,
    external_id text CONSTRAINT records_external_id_not_null NOT NULL COLLATE pg_catalog."C",
    CONSTRAINT records_action_check CHECK (((action >= 1) AND (action <= 3)))
)
WITH (autovacuum_vacuum_scale_factor='0.05', autovacuum_analyze_scale_factor='0.1');
CREATE TABLE records.records_2 (
    stream_id bigint CONSTRAINT records_stream_id_not_null NOT NULL,
    seq bigint CONSTRAINT records_seq_not_null NOT NULL,
    payload_seq bigint,
    first_seen bigint CONSTRAINT records_first_seen_not_null NOT NULL,
    modified bigint CONSTRAINT records_modified_not_null NOT NULL,
    pruned bigint,
    environment_id integer CONSTRAINT records_environment_id_not_null NOT NULL,
    rid integer CONSTRAINT records_rid_not_null NOT NULL,
    size integer CONSTRAINT records_size_not_null NOT NULL,
    writer integer CONSTRAINT records_writer_not_null NOT NULL,
    action smallint CONSTRAINT records_action_not_null NOT NULL,
    hash_version smallint CONSTRAINT records_hash_version_not_null NOT NULL,
    hash bytea CONSTRAINT records_hash_not_null NOT NULL,
    external_id text CONSTRAINT records_external_id_not_null NOT NULL COLLATE pg_catalog."C",
    CONSTRAINT records_action_check CHECK (((action >= 1) AND (action <= 3)))
)
WITH (autovacuum_vacuum_scale_factor='0.05', autovacuum_analyze_scale_factor='0.1');
CREATE TABLE records.records_3 (
    stream_id bigint CONSTRAINT records_stream_id_not_null NOT NULL,
    seq bigint CONSTRAINT records_seq_not_null NOT NULL,
    payload_seq bigint,
    first_seen bigint CONSTRAINT records_first_seen_not_null NOT NULL,
    modified bigint CONSTRAINT records_modified_not_null NOT NULL,
    pruned bigint,
    environment_id integer CONSTRAINT records_environment_id_not_null NOT NULL,
    rid integer CONSTRAINT records_rid_not_null NOT NULL,
    size integer CONSTRAINT records_size_not_null NOT NULL,
    writer integer CONSTRAINT records_writer_not_null NOT NULL,
    action smallint CONSTRAINT records_action_not_null NOT NULL,
    hash_version smallint CONSTRAINT records_hash_version_not_null NOT NULL,
    hash bytea CONSTRAINT records_hash_not_null NOT NULL,
    external_id text CONSTRAINT records_external_id_not_null NOT NULL COLLATE pg_catalog."C",
    CONSTRAINT records_action_check CHECK (((action >= 1) AND (action <= 3)))
)
WITH (autovacuum_vacuum_scale_factor='0.05', autovacuum_analyze_scale_factor='0.1');
CREATE TABLE records.records_4 (
    stream_id bigint CONSTRAINT records_stream_id_not_null NOT NULL,
    seq bigint CONSTRAINT records_seq_not_null NOT NULL,
    payload_seq bigint,
    first_seen bigint CONSTRAINT records_first_seen_not_null NOT NULL,
    modified bigint CONSTRAINT records_modified_not_null NOT NULL,
    pruned bigint,
    environment_id integer CONSTRAINT records_environment_id_not_null NOT NULL,
    rid integer CONSTRAINT records_rid_not_null NOT NULL,
    size integer CONSTRAINT records_size_not_null NOT NULL,
    writer integer CONSTRAINT records_writer_not_null NOT NULL,
    action smallint CONSTRAINT records_action_not_null NOT NULL,
    hash_version smallint CONSTRAINT records_hash_version_not_null NOT NULL,
    hash bytea CONSTRAINT records_hash_not_null NOT NULL,
    external_id text CONSTRAINT records_external_id_not_null NOT NULL COLLATE pg_catalog."C",
    CONSTRAINT records_action_check CHECK (((action >= 1) AND (action <= 3)))
)
WITH (autovacuum_vacuum_scale_factor='0.05', autovacuum_analyze_scale_factor='0.1');
CREATE TABLE records.records_5 (
    stream_id bigint CONSTRAINT records_stream_id_not_null NOT NULL,
    seq bigint CONSTRAINT records_seq_not_null NOT NULL,
    payload_seq bigint,
    first_seen bigint CONSTRAINT records_first_seen_not_null NOT NULL,
    modified bigint CONSTRAINT records_modified_not_null NOT NULL,
    pruned bigint,
    environment_id integer CONSTRAINT records_environment_id_not_null NOT NULL,
    rid integer CONSTRAINT records_rid_not_null NOT NULL,
    size integer CONSTRAINT records_size_not_null NOT NULL,
    writer integer CONSTRAINT records_writer_not_null NOT NULL,
    action smallint CONSTRAINT records_action_not_null NOT NULL,
    hash_version smallint CONSTRAINT records_hash_version_not_null NOT NULL,
    hash bytea CONSTRAINT records_hash_not_null NOT NULL,
    external_id text CONSTRAINT records_external_id_not_null NOT NULL COLLATE pg_catalog."C",
    CONSTRAINT records_action_check CHECK (((action >= 1) AND (action <= 3)))
)
WITH (autovacuum_vacuum_scale_factor='0.05', autovacuum_analyze_scale_factor='0.1');
CREATE TABLE records.records_6 (
    stream_id bigint CONSTRAINT records_stream_id_not_null NOT NULL,
    seq bigint CONSTRAINT records_seq_not_null NOT NULL,
    payload_seq bigint,
    first_seen bigint CONSTRAINT records_first_seen_not_null NOT NULL,
    modified bigint CONSTRAINT records_modified_not_null NOT NULL,
    pruned bigint,
    environment_id integer CONSTRAINT records_environment_id_not_null NOT NULL,
    rid integer CONSTRAINT records_rid_not_null NOT NULL,
    size integer CONSTRAINT records_size_not_null NOT NULL,
    writer integer CONSTRAINT records_writer_not_null NOT NULL,
    action smallint CONSTRAINT records_action_not_null NOT NULL,
    hash_version smallint CONSTRAINT records_hash_version_not_null NOT NULL,
    hash bytea CONSTRAINT records_hash_not_null NOT NULL,
    external_id text CONSTRAINT records_external_id_not_null NOT NULL COLLATE pg_catalog."C",
    CONSTRAINT records_action_check CHECK (((action >= 1) AND (action <= 3)))
)
WITH (autovacuum_vacuum_scale_factor='0.05', autovacuum_analyze_scale_factor='0.1');
CREATE TABLE records.records_7 (
    stream_id bigint CONSTRAINT records_stream_id_not_null NOT NULL,
    seq bigint CONSTRAINT records_seq_not_null NOT NULL,
    payload_seq bigint,
    first_seen bigint CONSTRAINT records_first_seen_not_null NOT NULL,
    modified bigint CONSTRAINT records_modified_not_null NOT NULL,
    pruned bigint,
    environment_id integer CONSTRAINT records_environment_id_not_null NOT NULL,
    rid integer CONSTRAINT records_rid_not_null NOT NULL,
    size integer CONSTRAINT records_size_not_null NOT NULL,
    writer integer CONSTRAINT records_writer_not_null NOT NULL,
    action smallint CONSTRAINT records_action_not_null NOT NULL,
    hash_version smallint CONSTRAINT records_hash_version_not_null NOT NULL,
    hash bytea CONSTRAINT records_hash_not_null NOT NULL,
    external_id text CONSTRAINT records_external_id_not_null NOT NULL COLLATE pg_catalog."C",
    CONSTRAINT records_action_check CHECK (((action >= 1) AND (action <= 3)))
)
WITH (autovacuum_vacuum_scale_factor='0.05', autovacuum_analyze_scale_factor='0.1');
CREATE TABLE records.records_8 (
    stream_id bigint CONSTRAINT records_stream_id_not_null NOT NULL,
    seq bigint CONSTRAINT records_seq_not_null NOT NULL,
    payload_seq bigint,
    first_seen bigint CONSTRAINT records_first_seen_not_null NOT NULL,
    modified bigint CONSTRAINT records_modified_not_null NOT NULL,
    pruned bigint,
    environment_id integer CONSTRAINT records_environment_id_not_null NOT NULL,
    rid integer CONSTRAINT records_rid_not_null NOT NULL,
    size integer CONSTRAINT records_size_not_null NOT NULL,
    writer integer CONSTRAINT records_writer_not_null NOT NULL,
    action smallint CONSTRAINT records_action_not_null NOT NULL,
    hash_version smallint CONSTRAINT records_hash_version_not_null NOT NULL,
    hash bytea CONSTRAINT records_hash_not_null NOT NULL,
    external_id text CONSTRAINT records_external_id_not_null NOT NULL COLLATE pg_catalog."C",
    CONSTRAINT records_action_check CHECK (((action >= 1) AND (action <= 3)))
)
WITH (autovacuum_vacuum_scale_factor='0.05', autovacuum_analyze_scale_factor='0.1');
CREATE TABLE records.records_9 (
    stream_id bigint CONSTRAINT records_stream_id_not_null NOT NULL,
    seq bigint CONSTRAINT records_seq_not_null NOT NULL,
    payload_seq bigint,
    first_seen bigint CONSTRAINT records_first_seen_not_null NOT NULL,
    modified bigint CONSTRAINT records_modified_not_null NOT NULL,
    pruned bigint,
    environment_id integer CONSTRAINT records_environment_id_not_null NOT NULL,
    rid integer CONSTRAINT records_rid_not_null NOT NULL,
    size integer CONSTRAINT records_size_not_null NOT NULL,
    writer integer CONSTRAINT records_writer_not_null NOT NULL,
    action smallint CONSTRAINT records_action_not_null NOT NULL,
    hash_version smallint CONSTRAINT records_hash_version_not_null NOT NULL,
    hash bytea CONSTRAINT records_hash_not_null NOT NULL,
    external_id text CONSTRAINT records_external_id_not_null NOT NULL COLLATE pg_catalog."C",
    CONSTRAINT records_action_check CHECK (((action >= 1) AND (action <= 3)))
)
WITH (autovacuum_vacuum_scale_factor='0.05', autovacuum_analyze_scale_factor='0.1');
CREATE TABLE records.reseals (
    environment_id integer NOT NULL,
    data_key_id integer NOT NULL,
    stream_key bigint NOT NULL,
    seq bigint NOT NULL
);
CREATE TABLE records.run_totals (
    run_id uuid NOT NULL,
    model text NOT NULL COLLATE pg_catalog."C",
    environment_id integer NOT NULL,
    added bigint NOT NULL,
    updated bigint NOT NULL,
    deleted bigint NOT NULL,
    created_at timestamp with time zone DEFAULT kit.now() NOT NULL
)
WITH (fillfactor='50');
CREATE TABLE records.seen (
    stream_key bigint NOT NULL,
    chunk bigint DEFAULT nextval('records.chunk_numbers'::regclass) NOT NULL,
    environment_id integer NOT NULL,
    owner uuid,
    rids int4multirange NOT NULL
);
CREATE SEQUENCE records.stream_ids
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
CREATE TABLE records.streams (
    key bigint NOT NULL,
    environment_id integer NOT NULL,
    connection_row_id bigint NOT NULL,
    connection_uuid uuid NOT NULL,
    model text NOT NULL COLLATE pg_catalog."C",
    variant text NOT NULL COLLATE pg_catalog."C",
    stream_id bigint DEFAULT nextval('records.stream_ids'::regclass) NOT NULL,
    last_seq bigint DEFAULT 0 NOT NULL,
    next_rid integer DEFAULT 1 NOT NULL,
    live bigint DEFAULT 0 NOT NULL,
    bytes bigint DEFAULT 0 NOT NULL,
    last_modified_at timestamp with time zone DEFAULT '1970-01-01 00:00:00+00'::timestamp with time zone NOT NULL,
    prune_floor bigint DEFAULT 0 NOT NULL,
    saved_at timestamp with time zone DEFAULT kit.now() NOT NULL,
    created_at timestamp with time zone DEFAULT kit.now() NOT NULL
)
WITH (fillfactor='50');
ALTER TABLE records.streams ALTER COLUMN key ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME records.streams_key_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
ALTER TABLE ONLY records.payloads ATTACH PARTITION records.payloads_0 FOR VALUES WITH (modulus 16, remainder 0);
ALTER TABLE ONLY records.payloads ATTACH PARTITION records.payloads_1 FOR VALUES WITH (modulus 16, remainder 1);
ALTER TABLE ONLY records.payloads ATTACH PARTITION records.payloads_10 FOR VALUES WITH (modulus 16, remainder 10);
ALTER TABLE ONLY records.payloads ATTACH PARTITION records.payloads_11 FOR VALUES WITH (modulus 16, remainder 11);
ALTER TABLE ONLY records.payloads ATTACH PARTITION records.payloads_12 FOR VALUES WITH (modulus 16, remainder 12);
ALTER TABLE ONLY records.payloads ATTACH PARTITION records.payloads_13 FOR VALUES WITH (modulus 16, remainder 13);
ALTER TABLE ONLY records.payloads ATTACH PARTITION records.payloads_14 FOR VALUES WITH (modulus 16, remainder 14);
ALTER TABLE ONLY records.payloads ATTACH PARTITION records.payloads_15 FOR VALUES WITH (modulus 16, remainder 15);
ALTER TABLE ONLY records.payloads ATTACH PARTITION records.payloads_2 FOR VALUES WITH (modulus 16, remainder 2);
ALTER TABLE ONLY records.payloads ATTACH PARTITION records.payloads_3 FOR VALUES WITH (modulus 16, remainder 3);
ALTER TABLE ONLY records.payloads ATTACH PARTITION records.payloads_4 FOR VALUES WITH (modulus 16, remainder 4);
ALTER TABLE ONLY records.payloads ATTACH PARTITION records.payloads_5 FOR VALUES WITH (modulus 16, remainder 5);
ALTER TABLE ONLY records.payloads ATTACH PARTITION records.payloads_6 FOR VALUES WITH (modulus 16, remainder 6);
ALTER TABLE ONLY records.payloads ATTACH PARTITION records.payloads_7 FOR VALUES WITH (modulus 16, remainder 7);
ALTER TABLE ONLY records.payloads ATTACH PARTITION records.payloads_8 FOR VALUES WITH (modulus 16, remainder 8);
ALTER TABLE ONLY records.payloads ATTACH PARTITION records.payloads_9 FOR VALUES WITH (modulus 16, remainder 9);
ALTER TABLE ONLY records.records ATTACH PARTITION records.records_0 FOR VALUES WITH (modulus 16, remainder 0);
ALTER TABLE ONLY records.records ATTACH PARTITION records.records_1 FOR VALUES WITH (modulus 16, remainder 1);
ALTER TABLE ONLY records.records ATTACH PARTITION records.records_10 FOR VALUES WITH (modulus 16, remainder 10);
ALTER TABLE ONLY records.records ATTACH PARTITION records.records_11 FOR VALUES WITH (modulus 16, remainder 11);
ALTER TABLE ONLY records.records ATTACH PARTITION records.records_12 FOR VALUES WITH (modulus 16, remainder 12);
ALTER TABLE ONLY records.records ATTACH PARTITION records.records_13 FOR VALUES WITH (modulus 16, remainder 13);
ALTER TABLE ONLY records.records ATTACH PARTITION records.records_14 FOR VALUES WITH (modulus 16, remainder 14);
ALTER TABLE ONLY records.records ATTACH PARTITION records.records_15 FOR VALUES WITH (modulus 16, remainder 15);
ALTER TABLE ONLY records.records ATTACH PARTITION records.records_2 FOR VALUES WITH (modulus 16, remainder 2);
ALTER TABLE ONLY records.records ATTACH PARTITION records.records_3 FOR VALUES WITH (modulus 16, remainder 3);
ALTER TABLE ONLY records.records ATTACH PARTITION records.records_4 FOR VALUES WITH (modulus 16, remainder 4);
ALTER TABLE ONLY records.records ATTACH PARTITION records.records_5 FOR VALUES WITH (modulus 16, remainder 5);
ALTER TABLE ONLY records.records ATTACH PARTITION records.records_6 FOR VALUES WITH (modulus 16, remainder 6);
ALTER TABLE ONLY records.records ATTACH PARTITION records.records_7 FOR VALUES WITH (modulus 16, remainder 7);
ALTER TABLE ONLY records.records ATTACH PARTITION records.records_8 FOR VALUES WITH (modulus 16, remainder 8);
ALTER TABLE ONLY records.records ATTACH PARTITION records.records_9 FOR VALUES WITH (modulus 16, remainder 9);
ALTER TABLE ONLY records.batches
    ADD CONSTRAINT batches_pkey PRIMARY KEY (owner, run_id, attempt, batch);
ALTER TABLE ONLY records.checkpoints
    ADD CONSTRAINT checkpoints_pkey PRIMARY KEY (owner);
ALTER TABLE ONLY records.erased
    ADD CONSTRAINT erased_pkey PRIMARY KEY (environment_id, connection_row_id);
ALTER TABLE ONLY records.fences
    ADD CONSTRAINT fences_pkey PRIMARY KEY (owner);
ALTER TABLE ONLY records.generations
    ADD CONSTRAINT generations_pkey PRIMARY KEY (stream_key, owner);
ALTER TABLE ONLY records.payloads
    ADD CONSTRAINT payloads_pkey PRIMARY KEY (stream_id, seq);
ALTER TABLE ONLY records.payloads_0
    ADD CONSTRAINT payloads_0_pkey PRIMARY KEY (stream_id, seq);
ALTER TABLE ONLY records.payloads_10
    ADD CONSTRAINT payloads_10_pkey PRIMARY KEY (stream_id, seq);
ALTER TABLE ONLY records.payloads_11
    ADD CONSTRAINT payloads_11_pkey PRIMARY KEY (stream_id, seq);
ALTER TABLE ONLY records.payloads_12
    ADD CONSTRAINT payloads_12_pkey PRIMARY KEY (stream_id, seq);
ALTER TABLE ONLY records.payloads_13
    ADD CONSTRAINT payloads_13_pkey PRIMARY KEY (stream_id, seq);
ALTER TABLE ONLY records.payloads_14
    ADD CONSTRAINT payloads_14_pkey PRIMARY KEY (stream_id, seq);
ALTER TABLE ONLY records.payloads_15
    ADD CONSTRAINT payloads_15_pkey PRIMARY KEY (stream_id, seq);
ALTER TABLE ONLY records.payloads_1
    ADD CONSTRAINT payloads_1_pkey PRIMARY KEY (stream_id, seq);
ALTER TABLE ONLY records.payloads_2
    ADD CONSTRAINT payloads_2_pkey PRIMARY KEY (stream_id, seq);
ALTER TABLE ONLY records.payloads_3
    ADD CONSTRAINT payloads_3_pkey PRIMARY KEY (stream_id, seq);
ALTER TABLE ONLY records.payloads_4
    ADD CONSTRAINT payloads_4_pkey PRIMARY KEY (stream_id, seq);
ALTER TABLE ONLY records.payloads_5
    ADD CONSTRAINT payloads_5_pkey PRIMARY KEY (stream_id, seq);
ALTER TABLE ONLY records.payloads_6
    ADD CONSTRAINT payloads_6_pkey PRIMARY KEY (stream_id, seq);
ALTER TABLE ONLY records.payloads_7
    ADD CONSTRAINT payloads_7_pkey PRIMARY KEY (stream_id, seq);
ALTER TABLE ONLY records.payloads_8
    ADD CONSTRAINT payloads_8_pkey PRIMARY KEY (stream_id, seq);
ALTER TABLE ONLY records.payloads_9
    ADD CONSTRAINT payloads_9_pkey PRIMARY KEY (stream_id, seq);
ALTER TABLE ONLY records.purges
    ADD CONSTRAINT purges_pkey PRIMARY KEY (stream_id);
ALTER TABLE ONLY records.records
    ADD CONSTRAINT records_pkey PRIMARY KEY (stream_id, external_id);
ALTER TABLE ONLY records.records_0
    ADD CONSTRAINT records_0_pkey PRIMARY KEY (stream_id, external_id);
ALTER TABLE ONLY records.records_10
    ADD CONSTRAINT records_10_pkey PRIMARY KEY (stream_id, external_id);
ALTER TABLE ONLY records.records_11
    ADD CONSTRAINT records_11_pkey PRIMARY KEY (stream_id, external_id);
ALTER TABLE ONLY records.records_12
    ADD CONSTRAINT records_12_pkey PRIMARY KEY (stream_id, external_id);
ALTER TABLE ONLY records.records_13
    ADD CONSTRAINT records_13_pkey PRIMARY KEY (stream_id, external_id);
ALTER TABLE ONLY records.records_14
    ADD CONSTRAINT records_14_pkey PRIMARY KEY (stream_id, external_id);
ALTER TABLE ONLY records.records_15
    ADD CONSTRAINT records_15_pkey PRIMARY KEY (stream_id, external_id);
ALTER TABLE ONLY records.records_1
    ADD CONSTRAINT records_1_pkey PRIMARY KEY (stream_id, external_id);
ALTER TABLE ONLY records.records_2
    ADD CONSTRAINT records_2_pkey PRIMARY KEY (stream_id, external_id);
ALTER TABLE ONLY records.records_3
    ADD CONSTRAINT records_3_pkey PRIMARY KEY (stream_id, external_id);
ALTER TABLE ONLY records.records_4
    ADD CONSTRAINT records_4_pkey PRIMARY KEY (stream_id, external_id);
ALTER TABLE ONLY records.records_5
    ADD CONSTRAINT records_5_pkey PRIMARY KEY (stream_id, external_id);
ALTER TABLE ONLY records.records_6
    ADD CONSTRAINT records_6_pkey PRIMARY KEY (stream_id, external_id);
ALTER TABLE ONLY records.records_7
    ADD CONSTRAINT records_7_pkey PRIMARY KEY (stream_id, external_id);
ALTER TABLE ONLY records.records_8
    ADD CONSTRAINT records_8_pkey PRIMARY KEY (stream_id, external_id);
ALTER TABLE ONLY records.records_9
    ADD CONSTRAINT records_9_pkey PRIMARY KEY (stream_id, external_id);
ALTER TABLE ONLY records.reseals
    ADD CONSTRAINT reseals_pkey PRIMARY KEY (environment_id, data_key_id);
ALTER TABLE ONLY records.run_totals
    ADD CONSTRAINT run_totals_pkey PRIMARY KEY (run_id, model);
ALTER TABLE ONLY records.seen
    ADD CONSTRAINT seen_pkey PRIMARY KEY (stream_key, chunk);
ALTER TABLE ONLY records.streams
    ADD CONSTRAINT streams_pkey PRIMARY KEY (environment_id, connection_row_id, model, variant);
CREATE INDEX records_feed ON ONLY records.records USING btree (((stream_id + 0)), seq);
CREATE INDEX records_0_expr_seq_idx ON records.records_0 USING btree (((stream_id + 0)), seq);
CREATE INDEX records_deleted ON ONLY records.records USING btree (((stream_id + 1)), seq) WHERE (action = 3);
CREATE INDEX records_0_expr_seq_idx1 ON records.records_0 USING btree (((stream_id + 1)), seq) WHERE (action = 3);
CREATE INDEX records_10_expr_seq_idx ON records.records_10 USING btree (((stream_id + 0)), seq);
CREATE INDEX records_10_expr_seq_idx1 ON records.records_10 USING btree (((stream_id + 1)), seq) WHERE (action = 3);
CREATE INDEX records_11_expr_seq_idx ON records.records_11 USING btree (((stream_id + 0)), seq);
CREATE INDEX records_11_expr_seq_idx1 ON records.records_11 USING btree (((stream_id + 1)), seq) WHERE (action = 3);
CREATE INDEX records_12_expr_seq_idx ON records.records_12 USING btree (((stream_id + 0)), seq);
CREATE INDEX records_12_expr_seq_idx1 ON records.records_12 USING btree (((stream_id + 1)), seq) WHERE (action = 3);
CREATE INDEX records_13_expr_seq_idx ON records.records_13 USING btree (((stream_id + 0)), seq);
CREATE INDEX records_13_expr_seq_idx1 ON records.records_13 USING btree (((stream_id + 1)), seq) WHERE (action = 3);
CREATE INDEX records_14_expr_seq_idx ON records.records_14 USING btree (((stream_id + 0)), seq);
CREATE INDEX records_14_expr_seq_idx1 ON records.records_14 USING btree (((stream_id + 1)), seq) WHERE (action = 3);
CREATE INDEX records_15_expr_seq_idx ON records.records_15 USING btree (((stream_id + 0)), seq);
CREATE INDEX records_15_expr_seq_idx1 ON records.records_15 USING btree (((stream_id + 1)), seq) WHERE (action = 3);
CREATE INDEX records_1_expr_seq_idx ON records.records_1 USING btree (((stream_id + 0)), seq);
CREATE INDEX records_1_expr_seq_idx1 ON records.records_1 USING btree (((stream_id + 1)), seq) WHERE (action = 3);
CREATE INDEX records_2_expr_seq_idx ON records.records_2 USING btree (((stream_id + 0)), seq);
CREATE INDEX records_2_expr_seq_idx1 ON records.records_2 USING btree (((stream_id + 1)), seq) WHERE (action = 3);
CREATE INDEX records_3_expr_seq_idx ON records.records_3 USING btree (((stream_id + 0)), seq);
CREATE INDEX records_3_expr_seq_idx1 ON records.records_3 USING btree (((stream_id + 1)), seq) WHERE (action = 3);
CREATE INDEX records_4_expr_seq_idx ON records.records_4 USING btree (((stream_id + 0)), seq);
CREATE INDEX records_4_expr_seq_idx1 ON records.records_4 USING btree (((stream_id + 1)), seq) WHERE (action = 3);
CREATE INDEX records_5_expr_seq_idx ON records.records_5 USING btree (((stream_id + 0)), seq);
CREATE INDEX records_5_expr_seq_idx1 ON records.records_5 USING btree (((stream_id + 1)), seq) WHERE (action = 3);
CREATE INDEX records_6_expr_seq_idx ON records.records_6 USING btree (((stream_id + 0)), seq);
CREATE INDEX records_6_expr_seq_idx1 ON records.records_6 USING btree (((stream_id + 1)), seq) WHERE (action = 3);
CREATE INDEX records_7_expr_seq_idx ON records.records_7 USING btree (((stream_id + 0)), seq);
CREATE INDEX records_7_expr_seq_idx1 ON records.records_7 USING btree (((stream_id + 1)), seq) WHERE (action = 3);
CREATE INDEX records_8_expr_seq_idx ON records.records_8 USING btree (((stream_id + 0)), seq);
CREATE INDEX records_8_expr_seq_idx1 ON records.records_8 USING btree (((stream_id + 1)), seq) WHERE (action = 3);
CREATE INDEX records_9_expr_seq_idx ON records.records_9 USING btree (((stream_id + 0)), seq);
CREATE INDEX records_9_expr_seq_idx1 ON records.records_9 USING btree (((stream_id + 1)), seq) WHERE (action = 3);
CREATE INDEX run_totals_created ON records.run_totals USING btree (created_at);
CREATE UNIQUE INDEX streams_key ON records.streams USING btree (key);
ALTER INDEX records.payloads_pkey ATTACH PARTITION records.payloads_0_pkey;
ALTER INDEX records.payloads_pkey ATTACH PARTITION records.payloads_10_pkey;
ALTER INDEX records.payloads_pkey ATTACH PARTITION records.payloads_11_pkey;
ALTER INDEX records.payloads_pkey ATTACH PARTITION records.payloads_12_pkey;
ALTER INDEX records.payloads_pkey ATTACH PARTITION records.payloads_13_pkey;
ALTER INDEX records.payloads_pkey ATTACH PARTITION records.payloads_14_pkey;
ALTER INDEX records.payloads_pkey ATTACH PARTITION records.payloads_15_pkey;
ALTER INDEX records.payloads_pkey ATTACH PARTITION records.payloads_1_pkey;
ALTER INDEX records.payloads_pkey ATTACH PARTITION records.payloads_2_pkey;
ALTER INDEX records.payloads_pkey ATTACH PARTITION records.payloads_3_pkey;
ALTER INDEX records.payloads_pkey ATTACH PARTITION records.payloads_4_pkey;
ALTER INDEX records.payloads_pkey ATTACH PARTITION records.payloads_5_pkey;
ALTER INDEX records.payloads_pkey ATTACH PARTITION records.payloads_6_pkey;
ALTER INDEX records.payloads_pkey ATTACH PARTITION records.payloads_7_pkey;
ALTER INDEX records.payloads_pkey ATTACH PARTITION records.payloads_8_pkey;
ALTER INDEX records.payloads_pkey ATTACH PARTITION records.payloads_9_pkey;
ALTER INDEX records.records_feed ATTACH PARTITION records.records_0_expr_seq_idx;
ALTER INDEX records.records_deleted ATTACH PARTITION records.records_0_expr_seq_idx1;
ALTER INDEX records.records_pkey ATTACH PARTITION records.records_0_pkey;
ALTER INDEX records.records_feed ATTACH PARTITION records.records_10_expr_seq_idx;
ALTER INDEX records.records_deleted ATTACH PARTITION records.records_10_expr_seq_idx1;
ALTER INDEX records.records_pkey ATTACH PARTITION records.records_10_pkey;
ALTER INDEX records.records_feed ATTACH PARTITION records.records_11_expr_seq_idx;
ALTER INDEX records.records_deleted ATTACH PARTITION records.records_11_expr_seq_idx1;
ALTER INDEX records.records_pkey ATTACH PARTITION records.records_11_pkey;
ALTER INDEX records.records_feed ATTACH PARTITION records.records_12_expr_seq_idx;
ALTER INDEX records.records_deleted ATTACH PARTITION records.records_12_expr_seq_idx1;
ALTER INDEX records.records_pkey ATTACH PARTITION records.records_12_pkey;
ALTER INDEX records.records_feed ATTACH PARTITION records.records_13_expr_seq_idx;
ALTER INDEX records.records_deleted ATTACH PARTITION records.records_13_expr_seq_idx1;
ALTER INDEX records.records_pkey ATTACH PARTITION records.records_13_pkey;
ALTER INDEX records.records_feed ATTACH PARTITION records.records_14_expr_seq_idx;
ALTER INDEX records.records_deleted ATTACH PARTITION records.records_14_expr_seq_idx1;
ALTER INDEX records.records_pkey ATTACH PARTITION records.records_14_pkey;
ALTER INDEX records.records_feed ATTACH PARTITION records.records_15_expr_seq_idx;
ALTER INDEX records.records_deleted ATTACH PARTITION records.records_15_expr_seq_idx1;
ALTER INDEX records.records_pkey ATTACH PARTITION records.records_15_pkey;
ALTER INDEX records.records_feed ATTACH PARTITION records.records_1_expr_seq_idx;
ALTER INDEX records.records_deleted ATTACH PARTITION records.records_1_expr_seq_idx1;
ALTER INDEX records.records_pkey ATTACH PARTITION records.records_1_pkey;
ALTER INDEX records.records_feed ATTACH PARTITION records.records_2_expr_seq_idx;
ALTER INDEX records.records_deleted ATTACH PARTITION records.records_2_expr_seq_idx1;
ALTER INDEX records.records_pkey ATTACH PARTITION records.records_2_pkey;
ALTER INDEX records.records_feed ATTACH PARTITION records.records_3_expr_seq_idx;
ALTER INDEX records.records_deleted ATTACH PARTITION records.records_3_expr_seq_idx1;
ALTER INDEX records.records_pkey ATTACH PARTITION records.records_3_pkey;
ALTER INDEX records.records_feed ATTACH PARTITION records.records_4_expr_seq_idx;
ALTER INDEX records.records_deleted ATTACH PARTITION records.records_4_expr_seq_idx1;
ALTER INDEX records.records_pkey ATTACH PARTITION records.records_4_pkey;
ALTER INDEX records.records_feed ATTACH PARTITION records.records_5_expr_seq_idx;
ALTER INDEX records.records_deleted ATTACH PARTITION records.records_5_expr_seq_idx1;
ALTER INDEX records.records_pkey ATTACH PARTITION records.records_5_pkey;
ALTER INDEX records.records_feed ATTACH PARTITION records.records_6_expr_seq_idx;
ALTER INDEX records.records_deleted ATTACH PARTITION records.records_6_expr_seq_idx1;
ALTER INDEX records.records_pkey ATTACH PARTITION records.records_6_pkey;
ALTER INDEX records.records_feed ATTACH PARTITION records.records_7_expr_seq_idx;
ALTER INDEX records.records_deleted ATTACH PARTITION records.records_7_expr_seq_idx1;
ALTER INDEX records.records_pkey ATTACH PARTITION records.records_7_pkey;
ALTER INDEX records.records_feed ATTACH PARTITION records.records_8_expr_seq_idx;
ALTER INDEX records.records_deleted ATTACH PARTITION records.records_8_expr_seq_idx1;
ALTER INDEX records.records_pkey ATTACH PARTITION records.records_8_pkey;
ALTER INDEX records.records_feed ATTACH PARTITION records.records_9_expr_seq_idx;
ALTER INDEX records.records_deleted ATTACH PARTITION records.records_9_expr_seq_idx1;
ALTER INDEX records.records_pkey ATTACH PARTITION records.records_9_pkey;
