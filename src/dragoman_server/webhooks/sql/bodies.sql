-- The bytes to send, by (environment_id, id); reads only.
SELECT m.environment_id, m.id, m.body, m.headers FROM webhooks.messages m
JOIN unnest($1::bigint[], $2::text[]) AS u(environment_id, id) ON m.environment_id = u.environment_id AND m.id = u.id
