-- Serialize exact counts of nearly full queues until this transaction ends. In one order, so never in a circle.
SELECT pg_advisory_xact_lock(hashtextextended('backlog:' || o.queue, o.environment_id)) FROM (
    SELECT DISTINCT g.queue, g.environment_id FROM unnest($1::text[], $2::bigint[]) g(queue, environment_id)
    ORDER BY g.queue, g.environment_id) o
