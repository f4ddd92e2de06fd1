-- Safe with many expirers: rows are taken SKIP LOCKED.
SELECT task FROM orchestrator.expire($1)
