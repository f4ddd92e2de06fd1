-- A page of an environment's deliveries, newest first; reads only.
SELECT d.id, d.environment_id, d.message_id, t.url, d.type, d.integration, d.connection, d.connection_row_id, d.redelivery_of,
    d.state, d.attempts, d.created_at, d.finished_at, CASE WHEN d.state = 'pending' THEN d.due_at END,
    a.status, a.error, t.open_until > kit.now()
FROM webhooks.deliveries d
JOIN webhooks.destinations t ON t.id = d.destination_id AND t.environment_id = d.environment_id
LEFT JOIN webhooks.attempts a ON a.delivery_id = d.id AND a.number = d.attempts
WHERE d.environment_id = $1
    AND ($2::uuid IS NULL OR d.id < $2)
    AND (cardinality($3::text[]) = 0 OR d.state = ANY ($3))
    AND (cardinality($4::text[]) = 0 OR d.type = ANY ($4))
    AND (cardinality($5::text[]) = 0 OR d.connection = ANY ($5))
    AND (cardinality($6::text[]) = 0 OR d.integration = ANY ($6))
    AND ($7::text IS NULL OR d.message_id = $7)
    AND ($8::uuid IS NULL OR d.id = $8)
ORDER BY d.id DESC LIMIT $9
