-- Room left per lane and environment; exact, because `lock_backlogs` ran in an earlier statement.
SELECT g.queue, g.environment_id, g.cap - orchestrator.backlog(g.queue, g.environment_id, g.cap) AS room
FROM unnest($1::text[], $2::bigint[], $3::int[]) g(queue, environment_id, cap)
