-- Notes a standing problem, in place of the same one's earlier entry (type and subject).
UPDATE control.connections SET errors = (
    SELECT coalesce(jsonb_agg(e), '[]') FROM jsonb_array_elements(errors) e
    WHERE e ->> 'type' <> $3 OR e ->> 'subject' <> $5
) || jsonb_build_array(jsonb_build_object('type', $3::text, 'log_id', $4::text, 'subject', $5::text))
WHERE environment_id = $1 AND id = $2 AND deleted_at IS NULL
