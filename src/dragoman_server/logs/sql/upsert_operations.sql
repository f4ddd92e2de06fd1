-- Write operations as they are now: started, changed or finished.
-- Safe in any order and repeated: a final state stays (except a time-out that the sweeper only guessed), and what a
-- process that reopened the operation does not know (kind '') never overwrites what the starter said.
INSERT INTO logs.operations AS o (at, id, environment_id, kind, state, integration, connection, connection_row_id, sync,
    function, words, meta, error, finished_at, writer_id, expires_at)
SELECT u.at, u.id, u.environment_id, u.kind, u.state, u.integration, u.connection, u.connection_row_id, u.sync,
    u.function, u.words, u.meta, u.error, u.finished_at, u.writer_id,
    CASE WHEN u.state IN ('waiting', 'running') THEN kit.now() + u.lifetime END
FROM unnest($1::timestamptz[], $2::uuid[], $3::bigint[], $4::text[], $5::text[], $6::text[], $7::text[], $8::bigint[],
    $9::text[], $10::text[], $11::text[], $12::text[], $13::text[], $14::timestamptz[], $15::uuid[], $16::interval[])
    AS u(at, id, environment_id, kind, state, integration, connection, connection_row_id, sync, function, words, meta,
        error, finished_at, writer_id, lifetime)
ON CONFLICT (id, at) DO UPDATE SET
    kind = CASE WHEN excluded.kind = '' THEN o.kind ELSE excluded.kind END,
    state = CASE WHEN o.state IN ('success', 'failed', 'cancelled') THEN o.state
        WHEN o.state = 'timeout' AND excluded.state IN ('waiting', 'running') THEN o.state ELSE excluded.state END,
    integration = coalesce(excluded.integration, o.integration),
    connection = coalesce(excluded.connection, o.connection),
    connection_row_id = coalesce(excluded.connection_row_id, o.connection_row_id),
    sync = coalesce(excluded.sync, o.sync),
    function = coalesce(excluded.function, o.function),
    words = CASE WHEN excluded.words = '' OR o.words LIKE '%' || excluded.words || '%' THEN o.words
        ELSE ltrim(o.words || ' ' || excluded.words) END,
    meta = coalesce(excluded.meta, o.meta),
    error = CASE WHEN o.state IN ('success', 'failed', 'cancelled') THEN o.error ELSE coalesce(excluded.error, o.error) END,
    finished_at = CASE WHEN o.state IN ('success', 'failed', 'cancelled') THEN o.finished_at
        ELSE coalesce(excluded.finished_at, o.finished_at) END,
    writer_id = CASE WHEN excluded.kind <> '' AND o.kind = '' THEN o.writer_id ELSE excluded.writer_id END,
    expires_at = CASE WHEN o.state IN ('success', 'failed', 'cancelled', 'timeout') THEN o.expires_at
        ELSE excluded.expires_at END
WHERE o.environment_id = excluded.environment_id
