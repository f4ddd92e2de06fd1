-- One commit for all concurrent finishers; each row is fenced by its attempt inside the function.
SELECT task, state, attempt, scheduled, finished_at FROM orchestrator.finish($1, $2, $3, $4, $5, $6)
