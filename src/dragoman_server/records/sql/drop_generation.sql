-- Ends a generation; its chunks are tidied away later. Safe to repeat.
DELETE FROM records.generations WHERE environment_id = $1 AND stream_key = $2 AND owner = $3
