-- How many living connections an environment has, by integration.
SELECT unique_key, count(*) FROM control.live_connections WHERE environment_id = $1 GROUP BY unique_key
