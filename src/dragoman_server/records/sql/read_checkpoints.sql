-- Checkpoints of several owners; only reads.
SELECT owner, body FROM records.checkpoints WHERE environment_id = $1 AND owner = ANY ($2::uuid[]) AND body IS NOT NULL
