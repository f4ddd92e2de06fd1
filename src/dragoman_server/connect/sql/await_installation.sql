-- One connection of an integration waits for an installation: of two at once the second gets nothing back.
INSERT INTO connect.installations
    (environment_id, connection_id, integration_id, match_print, session_id, expires_at)
VALUES ($1, $2, $3, $4, $5, kit.now() + $6)
ON CONFLICT DO NOTHING
RETURNING connection_id
