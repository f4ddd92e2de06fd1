-- Everything stored, of every environment_id, in order; reads only.
SELECT to_jsonb(t)::text FROM logs.messages t ORDER BY t.at, t.operation_id, t.seq
