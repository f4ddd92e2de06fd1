-- One window of an environment_id's operations, newest first, with whether a common text is found in each; the scalar
-- subquery looks into one operation's messages by its index and is never turned into a scan of all hits. Reads only.
WITH walked AS MATERIALIZED (
    SELECT o.id, o.environment_id, o.kind, o.state, o.at, o.finished_at, o.integration, o.connection, o.connection_row_id,
    o.sync, o.function, o.meta, o.error, o.words
    FROM logs.operations o
    WHERE o.environment_id = $1
        AND (o.at, o.id) < ($2, $3) AND o.at <= $2 AND o.at >= $9
        AND ($4::text[] IS NULL OR o.state = ANY ($4)) AND ($5::text[] IS NULL OR o.kind = ANY ($5))
        AND ($6::text[] IS NULL OR o.integration = ANY ($6)) AND ($7::text[] IS NULL OR o.connection = ANY ($7))
        AND ($8::text[] IS NULL OR o.sync = ANY ($8))
    ORDER BY o.at DESC, o.id DESC LIMIT $10)
SELECT logs.words_of(w.environment_id, w.words) @@ logs.query_of($1, $11) OR coalesce((
    SELECT true FROM logs.messages m
    WHERE m.environment_id = $1 AND m.operation_id = w.id AND m.at >= w.at
        AND logs.words_of(m.environment_id, m.message) @@ logs.query_of($1, $11) LIMIT 1), false), w.*
FROM walked w ORDER BY w.at DESC, w.id DESC
