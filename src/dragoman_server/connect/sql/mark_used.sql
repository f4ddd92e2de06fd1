-- Debounced: rows marked less than ten minutes ago are left alone, so a busy connection costs one write in ten minutes.
-- An idle row that is used again becomes due by its own expiry.
UPDATE connect.credentials c SET used_at = kit.now()
FROM unnest($1::bigint[], $2::bigint[]) AS u (environment_id, connection_id)
WHERE c.environment_id = u.environment_id AND c.connection_id = u.connection_id
    AND (c.used_at IS NULL OR c.used_at < kit.now() - interval '10 minutes')
