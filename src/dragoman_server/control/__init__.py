"""The control plane: accounts, environments, keys, variables, integrations, connections, functions, syncs and runs.

Called by the doors, `connect`, `proxy`, `jobs` and `flows`; each noun has a service of its own that takes the caller's
connection where things must happen together. Stores the schema `control`; secrets in it are sealed by the vault.
Reads run in every process; the purge and the touch loops in the work process.
"""

from dragoman_server.control.accounts import Accounts
from dragoman_server.control.api_keys import ApiKeys
from dragoman_server.control.connections import Connections
from dragoman_server.control.environments import Environments
from dragoman_server.control.functions import Functions
from dragoman_server.control.integrations import Integrations
from dragoman_server.control.runs import Runs
from dragoman_server.control.syncs import Syncs
from dragoman_server.control.variables import Variables

__all__ = [
    "Accounts",
    "ApiKeys",
    "Connections",
    "Environments",
    "Functions",
    "Integrations",
    "Runs",
    "Syncs",
    "Variables",
]
