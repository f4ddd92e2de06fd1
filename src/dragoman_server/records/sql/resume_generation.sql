-- Hands an open generation to another attempt, its seen set kept; under the stream's lock.
UPDATE records.generations SET run_id = $4, attempt = $5, closing = false, position = 0
WHERE environment_id = $1 AND stream_key = $2 AND owner = $3
