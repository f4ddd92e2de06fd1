-- Safe with many reapers: rows are taken SKIP LOCKED, and the attempt fences a worker that comes back.
SELECT task, state, queue FROM orchestrator.reap($1, $2, $3)
