-- Deletes chunks that no generation needs (of every environment_id). Safe with many: it only removes what is unused.
DELETE FROM records.seen WHERE (stream_key, chunk) IN (
    SELECT s.stream_key, s.chunk FROM records.seen s
    WHERE NOT EXISTS (SELECT FROM records.generations g
        WHERE g.environment_id = s.environment_id AND g.stream_key = s.stream_key AND g.first_chunk <= s.chunk)
    LIMIT $1)
