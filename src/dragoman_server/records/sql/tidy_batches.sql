-- Deletes the answers of attempts begun long ago (of every environment_id); nobody repeats those. Safe to repeat.
DELETE FROM records.batches b USING records.fences f
WHERE f.owner = b.owner AND f.environment_id = b.environment_id AND f.begun_at < kit.now() - $1::interval
