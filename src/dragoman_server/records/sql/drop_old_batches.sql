-- Forgets the answers of attempts that can no longer ask. Safe to repeat.
DELETE FROM records.batches WHERE environment_id = $1 AND owner = $2 AND (run_id <> $3 OR attempt <> $4)
