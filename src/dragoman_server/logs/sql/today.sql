-- The database's UTC day; reads nothing.
SELECT (kit.now() AT TIME ZONE 'UTC')::date
