-- Gives every living connection ($2: one of them) the base variant of every sync of its integration it lacks. Safe with
-- many at once: the unique index keeps one each. A sync that does not start by itself begins paused. The share lock
-- makes this and the connection's deletion take turns. One that is pending gets them once it is complete.
INSERT INTO control.syncs (id, environment_id, connection_row_id, function_id, variant, paused)
SELECT gen_random_uuid(), $1, c.id, f.id, 'base', f.manifest -> 'auto_start' IS NOT DISTINCT FROM 'false'::jsonb
FROM control.connections c
JOIN control.functions f ON f.environment_id = c.environment_id AND f.integration_id = c.integration_id
WHERE c.environment_id = $1 AND ($2::bigint IS NULL OR c.id = $2) AND c.deleted_at IS NULL AND NOT c.pending
    AND f.type = 'sync' AND f.deleted_at IS NULL
    AND NOT EXISTS (SELECT FROM control.syncs s WHERE s.environment_id = $1 AND s.connection_row_id = c.id
        AND s.function_id = f.id AND s.variant = 'base')
FOR SHARE OF c
ON CONFLICT DO NOTHING
RETURNING id
