-- Removes connections whose time of grace is over, of every environment_id, some at a time; answers whose secrets go.
DELETE FROM control.connections WHERE id = ANY (ARRAY (
    SELECT c.id FROM control.connections c WHERE c.deleted_at < kit.now() - $1::interval
    ORDER BY c.deleted_at LIMIT $2 FOR UPDATE SKIP LOCKED))
RETURNING environment_id, uuid
