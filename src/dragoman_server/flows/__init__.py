"""Stories over several parts, a file per verb: connect, disconnect, deploy, steer syncs, run actions and report them.

Called by the doors and by the outbox relay. Stores nothing itself: what must commit together is written through the
parts on one connection, what must follow is an outbox fact. Runs in every process with the role `api` or `relay`.
"""
