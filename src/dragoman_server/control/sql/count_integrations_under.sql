-- How many integrations of an environment are sealed under a data key, deleted ones too.
SELECT count(*) FROM control.integrations WHERE environment_id = $1 AND substr(sealed, 1, 5) = $2
