-- One commit for all concurrent submitters. Safe to repeat with an idempotency key; see the function.
SELECT place, task, created FROM orchestrator.submit($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15,
    $16, $17, $18)
