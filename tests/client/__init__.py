"""The client against a running platform: every method of both faces, and the webhook verifier."""
