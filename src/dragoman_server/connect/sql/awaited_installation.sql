-- Locks the row, so that a call that brings an installation, its end and a second session take turns. One index probe.
SELECT connection_id, session_id, sealed IS NOT NULL AS received, expires_at > kit.now() AS alive, expires_at
FROM connect.installations WHERE environment_id = $1 AND integration_id = $2 AND match_print = $3
FOR UPDATE
