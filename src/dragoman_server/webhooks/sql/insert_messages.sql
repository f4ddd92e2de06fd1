-- Store bodies to send. Safe repeated: a message (environment_id, id) is written once.
INSERT INTO webhooks.messages (environment_id, id, body, headers, created_at)
SELECT u.environment_id, u.id, u.body, u.headers, kit.now()
FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[]) AS u(environment_id, id, body, headers)
ORDER BY u.environment_id, u.id COLLATE "C"
ON CONFLICT (environment_id, id) DO NOTHING
