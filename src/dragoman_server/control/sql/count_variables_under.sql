-- How many variables of an environment are sealed under a data key (their first five bytes).
SELECT count(*) FROM control.variables WHERE environment_id = $1 AND substr(value, 1, 5) = $2
