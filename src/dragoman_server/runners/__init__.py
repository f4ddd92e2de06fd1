"""Run the customer's functions, isolated per customer.

`port.py` is what everybody else sees: what a run is, what it may call (`GuestCalls`, implemented by `gate`), how it
ended. `host/` starts, limits and stops (called by `jobs` and by the deploy flow; runs in the work process).
`guest/` runs inside the sandbox and imports only the SDK and the standard library; the host mounts it read-only.
Stores nothing but a cache on disk: installed dependencies and the staged runtime. Rules: INVARIANTS.md.
"""
