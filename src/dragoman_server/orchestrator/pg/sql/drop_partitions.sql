-- Safe with many at once: the function takes a lock first.
SELECT orchestrator.drop_partitions($1)
