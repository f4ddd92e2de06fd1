-- An owner's checkpoint; only reads.
SELECT body, version FROM records.checkpoints WHERE environment_id = $1 AND owner = $2
