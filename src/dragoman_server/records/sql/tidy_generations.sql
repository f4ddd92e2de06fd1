-- Ends generations that were never closed (of every environment_id). Safe to repeat.
DELETE FROM records.generations WHERE opened_at < kit.now() - $1::interval
