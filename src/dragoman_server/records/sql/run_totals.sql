-- What runs changed, by model; only reads.
SELECT run_id, model, added, updated, deleted FROM records.run_totals
WHERE environment_id = $1 AND run_id = ANY ($2::uuid[])
