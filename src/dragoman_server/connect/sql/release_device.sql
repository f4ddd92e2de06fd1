-- Only one that has not ended; the interval only grows (RFC 8628 section 3.5).
UPDATE connect.device_authorizations
SET polling_until = NULL, interval_seconds = greatest(interval_seconds, least($3, 300))
WHERE environment_id = $1 AND id = $2 AND outcome IS NULL
