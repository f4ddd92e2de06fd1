-- Ends runs. Fenced: an older attempt, or one that ended already, changes nothing and is not answered.
UPDATE control.runs AS r SET state = n.state, finished_at = kit.now(), result = n.result::jsonb,
    checkpoint_to = n.checkpoint_to::jsonb, error = n.error::jsonb
FROM unnest($1::int[], $2::uuid[], $3::int[], $4::text[], $5::text[], $6::text[], $7::text[])
    AS n (environment_id, id, attempt, state, result, checkpoint_to, error)
WHERE r.environment_id = n.environment_id AND r.id = n.id AND r.attempt = n.attempt AND r.state = 'running'
RETURNING r.id
