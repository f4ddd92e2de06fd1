-- The operations of an environment_id that a text is found in, in themselves or in a message, unless there are more
-- than $11 hits (then NULL ids: the word is common and walking is faster). The fences leave the text index as the only
-- way: it holds the environment as a word of its own, so the environment_id is checked outside, where it cannot tempt
-- the planner to read all of an environment's rows; LIMIT 1 does the same for the look-ups by id. Reads only.
WITH said AS MATERIALIZED (
    SELECT m.environment_id, m.operation_at, m.operation_id FROM logs.messages m
    WHERE logs.words_of(m.environment_id, m.message) @@ logs.query_of($1, $12) AND m.at >= $9 LIMIT $11),
named AS MATERIALIZED (
    SELECT x.environment_id, x.at, x.id FROM logs.operations x
    WHERE logs.words_of(x.environment_id, x.words) @@ logs.query_of($1, $12) AND x.at >= $9 LIMIT $11),
hits AS MATERIALIZED (
    SELECT s.operation_at AS at, s.operation_id AS id FROM said s WHERE s.environment_id = $1
    UNION SELECT n.at, n.id FROM named n WHERE n.environment_id = $1),
found AS (
    SELECT f.* FROM hits h CROSS JOIN LATERAL (
        SELECT o.id, o.environment_id, o.kind, o.state, o.at, o.finished_at, o.integration, o.connection, o.connection_row_id,
        o.sync, o.function, o.meta, o.error
        FROM logs.operations o
        WHERE o.at = h.at AND o.id = h.id AND o.environment_id = $1
            AND (o.at, o.id) < ($2, $3) AND o.at >= $9
            AND ($4::text[] IS NULL OR o.state = ANY ($4)) AND ($5::text[] IS NULL OR o.kind = ANY ($5))
            AND ($6::text[] IS NULL OR o.integration = ANY ($6)) AND ($7::text[] IS NULL OR o.connection = ANY ($7))
            AND ($8::text[] IS NULL OR o.sync = ANY ($8))
        LIMIT 1) f
    WHERE (SELECT count(*) FROM said) < $11 AND (SELECT count(*) FROM named) < $11
    ORDER BY f.at DESC, f.id DESC LIMIT $10)
SELECT (SELECT count(*) FROM said) >= $11 OR (SELECT count(*) FROM named) >= $11, f.*
FROM (SELECT 1) AS always LEFT JOIN found f ON true
ORDER BY f.at DESC, f.id DESC
