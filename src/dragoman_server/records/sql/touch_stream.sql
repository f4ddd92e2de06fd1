-- Notes the day of the last save. Safe to repeat.
UPDATE records.streams SET saved_at = kit.now()
WHERE environment_id = $1 AND key = $2 AND saved_at < kit.now() - interval '1 day'
