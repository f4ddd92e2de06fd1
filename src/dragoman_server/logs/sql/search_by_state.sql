-- A page of operations, newest first, from the newest of each wanted state along its own index; reads only.
SELECT o.* FROM unnest($4::text[]) AS wanted(value) CROSS JOIN LATERAL (
    SELECT o.id, o.environment_id, o.kind, o.state, o.at, o.finished_at, o.integration, o.connection, o.connection_row_id,
        o.sync, o.function, o.meta, o.error
    FROM logs.operations o
    WHERE o.environment_id = $1 AND o.state = wanted.value
        AND o.state IN ('failed', 'timeout', 'cancelled')
        AND (o.at, o.id) < ($2, $3) AND o.at <= $2 AND o.at >= $9
        AND ($4::text[] IS NULL OR o.state = ANY ($4)) AND ($5::text[] IS NULL OR o.kind = ANY ($5))
        AND ($6::text[] IS NULL OR o.integration = ANY ($6)) AND ($7::text[] IS NULL OR o.connection = ANY ($7))
        AND ($8::text[] IS NULL OR o.sync = ANY ($8))
    ORDER BY o.at DESC, o.id DESC LIMIT $10) o
ORDER BY o.at DESC, o.id DESC LIMIT $10
