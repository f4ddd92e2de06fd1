-- Everything stored, of every environment_id, in order; reads only.
SELECT to_jsonb(t)::text FROM logs.operations t ORDER BY t.at, t.id
