-- An environment's living connections, the newest first; each filter that is given narrows.
SELECT id, uuid, environment_id, integration_id, unique_key, provider, connection_id, connection_config, metadata, tags, end_user, webhook_url_override, errors, created_at, updated_at, last_fetched_at FROM control.live_connections
WHERE environment_id = $1 AND ($2::text IS NULL OR connection_id = $2)
    AND ($5::text IS NULL OR end_user ->> 'id' = $5) AND tags @> $7::jsonb
    AND ($3::text IS NULL OR connection_id ILIKE $3 OR end_user ->> 'email' ILIKE $3
        OR end_user ->> 'display_name' ILIKE $3)
    AND (cardinality($4::text[]) = 0 OR unique_key = ANY ($4::text[]))
    AND ($6::text IS NULL OR end_user -> 'organization' ->> 'id' = $6)
    AND (NOT $8::boolean OR errors <> '[]')
ORDER BY id DESC LIMIT $9 OFFSET $10
