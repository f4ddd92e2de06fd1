-- Deletes a chunk of contents nobody reads or writes anymore; safe to repeat.
SELECT records.purge($1, $2, $3) -- environment_id, stream_id, limit
