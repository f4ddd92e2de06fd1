-- Erase up to $3 deliveries of a connection, their attempts and their messages. Safe repeated: until it answers 0.
WITH gone AS (
    DELETE FROM webhooks.deliveries WHERE environment_id = $1 AND id IN (
        SELECT x.id FROM webhooks.deliveries x WHERE x.environment_id = $1 AND x.connection_row_id = $2 LIMIT $3)
    RETURNING message_id),
bodies AS (
    DELETE FROM webhooks.messages m WHERE m.environment_id = $1 AND m.id IN (SELECT g.message_id FROM gone g))
SELECT count(*) FROM gone
