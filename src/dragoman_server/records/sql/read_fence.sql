-- Whether (run, attempt) is the owner's current one, and the stored answer of a batch; takes no lock.
SELECT f.run_id = $3 AND f.attempt = $4 AS current,
    (SELECT b.answer FROM records.batches b
     WHERE b.environment_id = $1 AND b.owner = $2 AND b.run_id = $3 AND b.attempt = $4 AND b.batch = $5) AS answer
FROM records.fences f WHERE f.environment_id = $1 AND f.owner = $2
