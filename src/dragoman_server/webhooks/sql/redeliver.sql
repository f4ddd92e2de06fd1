-- Send a finished or pending delivery's message again, as a delivery of its own. Each call makes one.
INSERT INTO webhooks.deliveries (id, environment_id, message_id, destination_id, type, integration, connection,
    connection_row_id, redelivery_of, due_at, expires_at, created_at)
SELECT $3, d.environment_id, d.message_id, d.destination_id, d.type, d.integration, d.connection, d.connection_row_id,
    d.id, kit.now(), kit.now() + $4::interval, kit.now()
FROM webhooks.deliveries d WHERE d.environment_id = $1 AND d.id = $2
RETURNING id
