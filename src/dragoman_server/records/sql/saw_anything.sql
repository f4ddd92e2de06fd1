-- Whether the owner itself saw a record in its generation; only reads.
SELECT EXISTS (SELECT FROM records.seen WHERE environment_id = $1 AND stream_key = $2 AND chunk >= $3 AND owner = $4)
