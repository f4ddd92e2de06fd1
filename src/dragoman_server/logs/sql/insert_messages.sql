-- Write messages again after a failed COPY whose fate is unknown: those already stored (environment_id and all) are kept.
INSERT INTO logs.messages (at, operation_id, seq, operation_at, environment_id, type, level, source, message, body)
SELECT * FROM unnest($1::timestamptz[], $2::uuid[], $3::int[], $4::timestamptz[], $5::bigint[], $6::text[], $7::text[],
    $8::text[], $9::text[], $10::text[])
ON CONFLICT (operation_id, at, seq) DO NOTHING
