-- Makes (run, attempt) the current one; nothing is returned for an attempt older than what was already begun.
-- Waits for the writes of older attempts that hold the row FOR SHARE; later ones find themselves stale.
UPDATE records.fences SET run_id = $3, attempt = $4, begun_at = kit.now(),
    past = CASE WHEN run_id = $3 THEN past ELSE (array_prepend(run_id, past))[1:20] END
WHERE environment_id = $1 AND owner = $2
    AND ((run_id = $3 AND attempt <= $4) OR (run_id <> $3 AND $3 <> ALL (past)))
RETURNING true
