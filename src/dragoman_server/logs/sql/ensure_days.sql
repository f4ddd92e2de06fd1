-- Make missing partitions; see the function for why many callers are safe.
SELECT logs.ensure_days($1::date, $2::date)
