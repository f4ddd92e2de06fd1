-- One delivery per message and destination. Safe repeated: a fact handled twice finds its deliveries there; those
-- made now are returned.
INSERT INTO webhooks.deliveries (id, environment_id, message_id, destination_id, type, integration, connection,
    connection_row_id, due_at, expires_at, created_at)
SELECT u.id, u.environment_id, u.message_id, d.id, u.type, u.integration, u.connection, u.connection_row_id,
    kit.now(), kit.now() + $9::interval, kit.now()
FROM unnest($1::uuid[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::bigint[])
    AS u(id, environment_id, message_id, url, type, integration, connection, connection_row_id)
JOIN webhooks.destinations d ON d.environment_id = u.environment_id AND d.url = u.url
ORDER BY u.id
ON CONFLICT (environment_id, message_id, destination_id) WHERE redelivery_of IS NULL DO NOTHING
RETURNING id
