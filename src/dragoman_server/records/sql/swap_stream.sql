-- Empties a stream at once: new contents, positions going on. Under the stream's lock; the old contents are purged later.
WITH old AS (
    INSERT INTO records.purges (stream_id, environment_id)
    SELECT s.stream_id, s.environment_id FROM records.streams s WHERE s.environment_id = $1 AND s.key = $2
    ON CONFLICT DO NOTHING
)
UPDATE records.streams SET stream_id = nextval('records.stream_ids'), next_rid = 1, live = 0, bytes = 0,
    prune_floor = last_seq
WHERE environment_id = $1 AND key = $2
