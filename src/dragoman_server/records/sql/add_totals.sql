-- Adds to a run's totals of a model, in the transaction that changed the records.
INSERT INTO records.run_totals AS t (run_id, model, environment_id, added, updated, deleted)
VALUES ($2, $3, $1, $4, $5, $6)
ON CONFLICT (run_id, model) DO UPDATE SET added = t.added + excluded.added, updated = t.updated + excluded.updated,
    deleted = t.deleted + excluded.deleted
WHERE t.environment_id = $1
