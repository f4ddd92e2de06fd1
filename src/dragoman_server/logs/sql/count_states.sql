-- How many operations of an environment_id ended how, by UTC day; reads only.
SELECT (o.at AT TIME ZONE 'UTC')::date, o.state, count(*) FROM logs.operations o
WHERE o.environment_id = $1 AND ($2::text[] IS NULL OR o.kind = ANY ($2)) AND o.at >= kit.now() - make_interval(days => $3)
GROUP BY 1, 2 ORDER BY 1, 2
