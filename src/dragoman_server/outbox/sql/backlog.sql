-- How many facts wait past their time and how many are parked, by kind, over every environment: for metrics.
SELECT kind, count(*) FILTER (WHERE state = 'waiting' AND due_at <= kit.now()) AS due,
    count(*) FILTER (WHERE state = 'parked') AS parked
FROM outbox.facts GROUP BY kind
