-- Only for the session that began it.
SELECT outcome, interval_seconds, greatest(extract(epoch FROM expires_at - kit.now()), 0)::integer AS seconds_left
FROM connect.device_authorizations WHERE environment_id = $1 AND session_id = $2 AND id = $3
