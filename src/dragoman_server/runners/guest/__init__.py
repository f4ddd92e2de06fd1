"""What runs inside the sandbox: boots, imports the project, forks once per run, carries the function's calls.

Started by `runners/host`; mounted read-only beside the project. Imports only the SDK and the standard library, holds
no secret, and knows no way out but the inherited sockets. The protocol is `docs/reference/guest-protocol.md`.
"""
