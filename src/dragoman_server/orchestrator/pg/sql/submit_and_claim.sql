-- One commit for all concurrent submitters and the claim of a worker beside them. Safe as its two halves are.
SELECT * FROM orchestrator.submit_and_claim($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17,
    $18, $19, $20, $21, $22, $23, $24, $25, $26, $27)
