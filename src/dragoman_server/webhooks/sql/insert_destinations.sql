-- Make sure that each (environment_id, url) has a row. Safe with many callers: sorted, and an existing row is kept.
INSERT INTO webhooks.destinations (environment_id, url)
SELECT u.environment_id, u.url FROM unnest($1::bigint[], $2::text[]) AS u(environment_id, url)
ORDER BY u.environment_id, u.url COLLATE "C"
ON CONFLICT (environment_id, url) DO NOTHING
