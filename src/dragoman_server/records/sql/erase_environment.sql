-- Hands everything of an environment to the purge, and forgets its runs. Safe to repeat.
WITH gone AS (
    DELETE FROM records.streams WHERE environment_id = $1 RETURNING environment_id, connection_row_id, stream_id
), marks AS (
    INSERT INTO records.erased (environment_id, connection_row_id)
    SELECT DISTINCT environment_id, connection_row_id FROM gone ON CONFLICT DO NOTHING
), generations AS (DELETE FROM records.generations WHERE environment_id = $1
), fences AS (DELETE FROM records.fences WHERE environment_id = $1
), checkpoints AS (DELETE FROM records.checkpoints WHERE environment_id = $1
), batches AS (DELETE FROM records.batches WHERE environment_id = $1
), totals AS (DELETE FROM records.run_totals WHERE environment_id = $1)
INSERT INTO records.purges (stream_id, environment_id) SELECT stream_id, environment_id FROM gone ON CONFLICT DO NOTHING
