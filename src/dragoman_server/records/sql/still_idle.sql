-- Whether a stream is idle still; read under its lock.
SELECT saved_at < kit.now() - $3::interval FROM records.streams WHERE environment_id = $1 AND key = $2
