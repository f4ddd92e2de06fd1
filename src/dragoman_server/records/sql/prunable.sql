-- The next window of streams, of every environment_id, and which of them have payloads to prune; only reads.
SELECT environment_id, key, old FROM records.prunable($1, $2, records.micros(kit.now() - $3::interval))
