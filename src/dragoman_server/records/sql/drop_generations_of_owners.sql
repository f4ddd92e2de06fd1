-- Ends every generation of these owners. Safe to repeat.
DELETE FROM records.generations WHERE environment_id = $1 AND owner = ANY ($2::uuid[])
