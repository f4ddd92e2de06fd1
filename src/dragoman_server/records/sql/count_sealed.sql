-- How many payloads are sealed under a data key, purged contents included; walks the environment's payloads, rarely asked.
SELECT count(*) FROM records.payloads p WHERE p.environment_id = $1 AND substring(p.payload FROM 1 FOR 5) = $2
