-- Safe with many tickers: see the function.
SELECT due, queues, promoted, next_at, now_at FROM orchestrator.tick($1)
