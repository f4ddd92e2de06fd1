-- How many variants a connection has of a sync.
SELECT count(*) FROM control.syncs WHERE environment_id = $1 AND connection_row_id = $2 AND function_id = $3
