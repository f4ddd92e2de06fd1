-- A subject's salt; NULL when destroyed, no row when never used.
SELECT salt FROM vault.salts WHERE environment_id = $1 AND subject = $2
