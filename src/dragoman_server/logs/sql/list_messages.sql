-- Messages of an operation, newest first, before a place; reads only.
SELECT m.operation_id, m.at, m.seq, m.type, m.level, m.source, m.message, m.body FROM logs.messages m
WHERE m.environment_id = $1 AND m.operation_id = $2 AND m.at >= $3
    AND ($4::timestamptz IS NULL OR (m.at, m.seq) < ($4, $5::int))
    AND ($6::text[] IS NULL OR m.level = ANY ($6))
    AND ($7::text IS NULL OR logs.words_of(m.environment_id, m.message) @@ logs.query_of($1, $7))
ORDER BY m.at DESC, m.seq DESC LIMIT $8
