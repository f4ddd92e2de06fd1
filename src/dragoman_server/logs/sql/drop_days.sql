-- Drop days past retention; see the function for why many callers are safe.
SELECT logs.drop_days((kit.now() AT TIME ZONE 'UTC')::date - $1::int)
