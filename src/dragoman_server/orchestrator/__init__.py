"""Schedules and tasks: on time, never twice at once, never lost, fair between customers.

Called by flows (submit, schedules), jobs (claim, beat, finish) and doors that wait for a result. Stores schedules,
active tasks, finished tasks by day, caps, workers and idempotent submissions in a database of its own (schema
`orchestrator`). The engine runs in every process; its loops run where the orchestrator role is on.
"""
