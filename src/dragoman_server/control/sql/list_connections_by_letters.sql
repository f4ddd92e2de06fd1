-- A search of one or two letters, which no index helps: it looks at the newest connections only, $11 of them.
WITH recent AS MATERIALIZED (
    SELECT c.id, c.connection_id, c.integration_id, c.end_user, c.errors, c.tags FROM control.connections c
    WHERE c.environment_id = $1 AND c.deleted_at IS NULL ORDER BY c.id DESC LIMIT $11
), page AS MATERIALIZED (
    SELECT c.id AS row_id FROM recent c
    WHERE ($2::text IS NULL OR c.connection_id = $2)
        AND ($5::text IS NULL OR c.end_user ->> 'id' = $5) AND c.tags @> $7::jsonb
        AND ($3::text IS NULL OR c.connection_id ILIKE $3 OR c.end_user ->> 'email' ILIKE $3
            OR c.end_user ->> 'display_name' ILIKE $3)
        AND (cardinality($4::text[]) = 0 OR c.integration_id IN (
            SELECT i.id FROM control.integrations i
            WHERE i.environment_id = $1 AND i.unique_key = ANY ($4::text[]) AND i.deleted_at IS NULL))
        AND ($6::text IS NULL OR c.end_user -> 'organization' ->> 'id' = $6)
        AND (NOT $8::boolean OR c.errors <> '[]')
    ORDER BY c.id DESC LIMIT $9 OFFSET $10
)
SELECT coalesce(array_agg(row_id ORDER BY row_id DESC), '{}') FROM page
