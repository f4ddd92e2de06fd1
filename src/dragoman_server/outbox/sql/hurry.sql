-- Facts that wait for their time are due now. One that is being handled is left alone: its handler looks by itself.
UPDATE outbox.facts f SET due_at = kit.now()
WHERE f.environment_id = $1 AND f.kind = $2 AND f.key = ANY ($3::text[]) AND f.state = 'waiting' AND NOT f.leased
    AND f.due_at > kit.now()
