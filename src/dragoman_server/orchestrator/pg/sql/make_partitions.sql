-- Safe with many at once: the function takes a lock first.
SELECT orchestrator.make_partitions($1)
