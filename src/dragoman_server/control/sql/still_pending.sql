-- Locks the row, so that its completion and its end take turns.
SELECT pending FROM control.connections WHERE environment_id = $1 AND id = $2 AND deleted_at IS NULL FOR UPDATE
