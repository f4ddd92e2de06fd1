-- Record attempts and what follows from them. Safe when late: a delivery that somebody else claimed since has a higher
-- attempt number and is left alone; the attempt itself is recorded once.
WITH said AS (
    SELECT * FROM unnest($1::uuid[], $2::int[], $3::bigint[], $4::int[], $5::int[], $6::text[], $7::text[], $8::text[],
        $9::interval[])
        AS u(id, number, environment_id, status, duration_ms, error, excerpt, state, again_in)),
moved AS (
    UPDATE webhooks.deliveries d SET
        state = s.state,
        due_at = kit.now() + coalesce(s.again_in, interval '0'),
        finished_at = CASE WHEN s.state = 'pending' THEN NULL ELSE kit.now() END
    FROM said s WHERE d.environment_id = s.environment_id AND d.id = s.id AND d.attempts = s.number
        AND d.state = 'pending'
    RETURNING d.id)
INSERT INTO webhooks.attempts (delivery_id, number, environment_id, at, status, duration_ms, error, excerpt)
SELECT s.id, s.number, s.environment_id, kit.now() - s.duration_ms * interval '1 millisecond', s.status, s.duration_ms,
    s.error, s.excerpt
FROM said s JOIN webhooks.deliveries d ON d.environment_id = s.environment_id AND d.id = s.id
ON CONFLICT (delivery_id, number) DO NOTHING
