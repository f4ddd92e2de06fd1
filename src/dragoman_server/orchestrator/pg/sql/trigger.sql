-- Safe against a racing tick: the lock key lets one of them make the task.
SELECT key, task, made, queue FROM orchestrator.trigger($1, $2)
