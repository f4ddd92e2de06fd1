-- Claim from several lanes in one transaction. Safe among claimers: the function locks shards before it looks.
SELECT c.* FROM unnest($2::text[], $3::int[], $4::int[], $5::int[], $6::int[], $7::bigint[], $8::int[])
    q (queue, most, environment_cap, connection_cap, cursor_shard, cursor_environment, sweep)
CROSS JOIN LATERAL orchestrator.claim($1, q.queue, q.most, q.environment_cap, q.connection_cap, q.cursor_shard,
    q.cursor_environment, q.sweep, $9) c
