-- Ends every generation on a stream whose contents are swapped: its rids mean nothing anymore. Safe to repeat.
DELETE FROM records.generations WHERE environment_id = $1 AND stream_key = $2
