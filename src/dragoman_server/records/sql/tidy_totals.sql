-- Deletes the totals of runs of long ago (of every environment_id). Safe to repeat.
DELETE FROM records.run_totals WHERE created_at < kit.now() - $1::interval
