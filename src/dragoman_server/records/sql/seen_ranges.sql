-- What was seen after a chunk, by anyone, as ranges of rids (upper bound excluded); read under the stream's lock.
SELECT chunk, lower(r) AS low, upper(r) AS high
FROM (SELECT chunk, rids FROM records.seen WHERE environment_id = $1 AND stream_key = $2 AND chunk > $3
      ORDER BY chunk LIMIT $4) s, unnest(s.rids) AS r
