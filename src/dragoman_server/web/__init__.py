"""What the doors share: the error envelope, strict parsing, authentication, scopes and rate limits.

Called by `api` and `gate`; stores nothing; runs in every process that has a door.
"""
