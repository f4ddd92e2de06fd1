-- Marks a connection erased and hands its contents to the purge. Under lock_connection; waits for writers under way.
WITH mark AS (
    INSERT INTO records.erased (environment_id, connection_row_id) VALUES ($1, $2) ON CONFLICT DO NOTHING
), gone AS (
    DELETE FROM records.streams WHERE environment_id = $1 AND connection_row_id = $2 RETURNING key, stream_id
), generations AS (
    DELETE FROM records.generations g USING gone WHERE g.environment_id = $1 AND g.stream_key = gone.key
)
INSERT INTO records.purges (stream_id, environment_id) SELECT stream_id, $1 FROM gone ON CONFLICT DO NOTHING
