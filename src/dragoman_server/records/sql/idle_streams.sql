-- Streams with contents that nobody saved to for long, of every environment_id; only reads.
SELECT environment_id, connection_row_id, connection_uuid, model, variant FROM records.streams
WHERE saved_at < kit.now() - $1::interval AND live > 0 ORDER BY saved_at LIMIT $2
