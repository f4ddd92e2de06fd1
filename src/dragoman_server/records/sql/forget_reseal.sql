-- Starts the re-encryption of a data key over. Safe to repeat.
DELETE FROM records.reseals WHERE environment_id = $1 AND data_key_id = $2
