-- Back to the lane's own limits from the next claim on.
DELETE FROM orchestrator.groups WHERE queue = $1 AND environment_id = $2 AND connection IS NOT DISTINCT FROM $3
