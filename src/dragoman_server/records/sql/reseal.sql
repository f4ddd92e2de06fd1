-- Replaces ciphertexts that are still what was read: a record saved meanwhile has another row and keeps it.
UPDATE records.payloads p SET payload = n.fresh
FROM unnest($3::bigint[], $4::bytea[], $5::bytea[]) AS n (seq, old, fresh)
WHERE p.environment_id = $1 AND p.stream_id = $2 AND p.seq = n.seq AND p.payload = n.old
