-- Drops what an erased environment still wanted to happen.
DELETE FROM outbox.facts WHERE environment_id = $1
