-- Removes runs past their time, of every environment_id, some at a time.
DELETE FROM control.runs WHERE id = ANY (ARRAY (
    SELECT r.id FROM control.runs r WHERE r.started_at < kit.now() - $1::interval AND r.state <> 'running'
    LIMIT $2 FOR UPDATE SKIP LOCKED))
