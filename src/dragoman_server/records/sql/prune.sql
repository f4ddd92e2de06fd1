-- Empties payloads under the stream's lock; repeats harmlessly.
SELECT pruned, has_more FROM records.prune($1, $2, $3, $4, $5) -- environment_id, stream_key, until, before, limit
