-- The oldest messages of an operation after a place, for following it; oldest first. Reads only.
SELECT m.operation_id, m.at, m.seq, m.type, m.level, m.source, m.message, m.body FROM logs.messages m
WHERE m.environment_id = $1 AND m.operation_id = $2 AND m.at >= $3
    AND (m.at, m.seq) > ($3, $4::int)
    AND ($5::text[] IS NULL OR m.level = ANY ($5))
    AND ($6::text IS NULL OR logs.words_of(m.environment_id, m.message) @@ logs.query_of($1, $6))
ORDER BY m.at, m.seq LIMIT $7
