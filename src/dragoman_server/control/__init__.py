"""The control plane: accounts, environments, keys, variables, integrations, connections, functions, syncs and runs.

Called by the doors, `connect`, `proxy`, `jobs` and `flows`; each noun has a service of its own that takes the caller's
connection where things must happen together. Stores the schema `control`; secrets in it are sealed by the vault.
Reads run in every process; the purge and the touch loops in the work process.
"""
