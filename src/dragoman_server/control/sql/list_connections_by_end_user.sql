-- The same, led by the end user, so that no plan walks the whole environment.
WITH found AS MATERIALIZED (
    SELECT id AS row_id FROM control.connections
    WHERE environment_id = $1 AND end_user ->> 'id' = $5 AND deleted_at IS NULL
)
SELECT id, uuid, environment_id, integration_id, unique_key, provider, connection_id, connection_config, metadata, tags, end_user, webhook_url_override, errors, created_at, updated_at, last_fetched_at FROM found JOIN control.live_connections ON id = row_id
WHERE environment_id = $1 AND ($2::text IS NULL OR connection_id = $2) AND tags @> $7::jsonb
    AND ($3::text IS NULL OR connection_id ILIKE $3 OR end_user ->> 'email' ILIKE $3
        OR end_user ->> 'display_name' ILIKE $3)
    AND (cardinality($4::text[]) = 0 OR unique_key = ANY ($4::text[]))
    AND ($6::text IS NULL OR end_user -> 'organization' ->> 'id' = $6)
    AND (NOT $8::boolean OR errors <> '[]')
ORDER BY id DESC LIMIT $9 OFFSET $10
