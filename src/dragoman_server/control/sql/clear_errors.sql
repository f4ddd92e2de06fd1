-- Forgets standing problems of a type (NULL subject: all of it); writes only where there is one.
UPDATE control.connections SET errors = (
    SELECT coalesce(jsonb_agg(e), '[]') FROM jsonb_array_elements(errors) e
    WHERE e ->> 'type' <> $3 OR ($4::text IS NOT NULL AND e ->> 'subject' <> $4)
)
WHERE environment_id = $1 AND id = $2 AND deleted_at IS NULL
    AND errors @> jsonb_build_array(jsonb_strip_nulls(jsonb_build_object('type', $3::text, 'subject', $4::text)))
