-- The generation is being closed: from here it goes on where it stopped. Under the stream's lock.
UPDATE records.generations SET closing = true WHERE environment_id = $1 AND stream_key = $2 AND owner = $3
