-- The body a delivery carries; reads only.
SELECT m.body FROM webhooks.deliveries d
JOIN webhooks.messages m ON m.environment_id = d.environment_id AND m.id = d.message_id
WHERE d.environment_id = $1 AND d.id = $2
