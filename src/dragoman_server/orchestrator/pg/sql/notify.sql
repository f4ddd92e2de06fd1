-- After the commit it tells of: only a hint, a poll stands behind it.
SELECT pg_notify($1, p) FROM unnest($2::text[]) p
