-- Finding connections by a part of their id or of their end user's name or email, by index and without an extension:
-- every three letters in a row, each led by its environment, so that one tenant's search never meets another's rows.
CREATE FUNCTION control.grams(environment_id int, texts text[]) RETURNS text[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT coalesce(pg_catalog.array_agg(DISTINCT environment_id || ':' || pg_catalog.substr(folded, place, 3)), '{}')
    FROM pg_catalog.unnest(texts) AS given (value)
    CROSS JOIN LATERAL (SELECT pg_catalog.lower(pg_catalog.left(value, 255) COLLATE "default")) AS lowered (folded)
    CROSS JOIN LATERAL pg_catalog.generate_series(1, pg_catalog.length(folded) - 2) AS place
$$;

CREATE INDEX connections_search ON control.connections USING gin (
    control.grams(environment_id, ARRAY[connection_id, end_user ->> 'email', end_user ->> 'display_name'])
) WITH (fastupdate = off) WHERE deleted_at IS NULL;
