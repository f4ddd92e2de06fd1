"""Takes tasks from the orchestrator, prepares the function, hands it to a runner, records the outcome.

Called by nobody: it is the consumer's end of the engine. Stores nothing itself; a run's row is `control`'s, its records
are `records`'. Runs in every process with the role `jobs`.
"""
