-- Forgets fences, checkpoints, answers and generations of owners that are no more. Safe to repeat.
WITH fences AS (DELETE FROM records.fences WHERE environment_id = $1 AND owner = ANY ($2::uuid[])
), batches AS (DELETE FROM records.batches WHERE environment_id = $1 AND owner = ANY ($2::uuid[])
), generations AS (DELETE FROM records.generations WHERE environment_id = $1 AND owner = ANY ($2::uuid[]))
DELETE FROM records.checkpoints WHERE environment_id = $1 AND owner = ANY ($2::uuid[])
