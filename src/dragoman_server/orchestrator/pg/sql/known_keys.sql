-- Which idempotency keys were submitted before: those need no room. Reads only.
SELECT s.environment_id, s.key FROM orchestrator.submissions s
JOIN unnest($1::bigint[], $2::text[]) g(environment_id, key) ON s.environment_id = g.environment_id AND s.key = g.key
