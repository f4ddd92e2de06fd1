-- One operation; the time inside its id names its partition. Reads only.
SELECT o.id, o.environment_id, o.kind, o.state, o.at, o.finished_at, o.integration, o.connection, o.connection_row_id,
    o.sync, o.function, o.meta, o.error
FROM logs.operations o WHERE o.environment_id = $1 AND o.id = $2 AND o.at = $3
