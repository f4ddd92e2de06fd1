-- Makes every attempt of the owner stale. Safe to repeat.
UPDATE records.fences SET run_id = '00000000-0000-0000-0000-000000000000', attempt = 0,
    past = (array_prepend(run_id, past))[1:20]
WHERE environment_id = $1 AND owner = $2 AND run_id <> '00000000-0000-0000-0000-000000000000'
