-- Writes facts beside what they follow from. Sorted, so that two transactions with the same keys never deadlock.
-- A fact not yet handled takes the newer body; one being handled keeps its lease, and its higher version makes the
-- relay hand it over once more, so nothing put during the handling is lost.
INSERT INTO outbox.facts AS f (environment_id, kind, key, body, due_at)
SELECT n.environment_id, n.kind, n.key, n.body::jsonb, coalesce(n.not_before, kit.now())
FROM unnest($1::int[], $2::text[], $3::text[], $4::text[], $5::timestamptz[])
    AS n (environment_id, kind, key, body, not_before)
ORDER BY n.environment_id, n.kind COLLATE "C", n.key COLLATE "C"
ON CONFLICT (environment_id, kind, key) DO UPDATE SET
    body = excluded.body, version = f.version + 1, state = 'waiting', strikes = 0,
    due_at = CASE WHEN f.leased THEN f.due_at ELSE least(f.due_at, excluded.due_at) END
