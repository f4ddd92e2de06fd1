-- Which kinds have something due in any environment; one index probe per kind, no lock.
SELECT k.kind FROM unnest($1::text[]) AS k (kind)
WHERE EXISTS (SELECT FROM outbox.facts f WHERE f.kind = k.kind AND f.state = 'waiting' AND f.due_at <= kit.now())
