-- When the last successful run of a sync began, if one is kept.
SELECT max(started_at) FROM control.runs WHERE environment_id = $1 AND sync_id = $2 AND state = 'success'
