-- The contents are gone. Safe to repeat.
DELETE FROM records.purges WHERE environment_id = $1 AND stream_id = $2
