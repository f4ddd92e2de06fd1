-- The first attempt of an owner. Safe with many: the first wins, the others go on to bump_fence.
INSERT INTO records.fences (owner, environment_id, run_id, attempt) VALUES ($2, $1, $3, $4) ON CONFLICT DO NOTHING
