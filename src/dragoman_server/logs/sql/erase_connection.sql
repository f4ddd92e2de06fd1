-- Erase up to $3 operations of a connection and every message in them. Safe repeated: call until it answers 0.
WITH chosen AS (
    SELECT o.at, o.id FROM logs.operations o
    WHERE o.environment_id = $1 AND o.connection_row_id = $2 ORDER BY o.at LIMIT $3),
gone_messages AS (
    DELETE FROM logs.messages m WHERE m.environment_id = $1 AND m.operation_id = ANY (ARRAY (SELECT id FROM chosen))),
gone AS (
    DELETE FROM logs.operations o USING chosen c WHERE o.environment_id = $1 AND o.at = c.at AND o.id = c.id RETURNING 1)
SELECT count(*) FROM gone
