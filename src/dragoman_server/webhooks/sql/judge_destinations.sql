-- Count failures in a row by destination and open or close its circuit; a success in the batch starts the count anew.
-- Safe with many deliverers: rows are locked in id order, then counted from their newest version; healthy rows after a
-- success are not written at all. The environment_id must be the destination's own.
WITH said AS (
    SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::boolean[], $4::int[])
        AS u(id, environment_id, succeeded, failed)),
locked AS MATERIALIZED (
    SELECT t.id FROM webhooks.destinations t JOIN said s ON s.id = t.id AND s.environment_id = t.environment_id
    WHERE s.failed > 0 OR t.failures > 0 OR t.open_until IS NOT NULL ORDER BY t.id FOR UPDATE OF t)
UPDATE webhooks.destinations t SET
    failures = CASE WHEN s.succeeded THEN 0 ELSE t.failures END + s.failed,
    open_until = CASE WHEN CASE WHEN s.succeeded THEN 0 ELSE t.failures END + s.failed >= $5 THEN kit.now()
        + least($6::interval * power(2, least(t.failures + s.failed - $5, 12)), $7::interval) END
FROM said s JOIN locked l ON l.id = s.id
WHERE t.id = s.id
