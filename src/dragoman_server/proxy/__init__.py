"""One authenticated outbound call: find a fresh credential, render the request, send it guarded, retry, log, stream.

Called by the public proxy door, by `gate` for running functions, and by `connect` to verify credentials. Stores
nothing; runs in every process that has one of those doors.
"""

from dragoman_server.proxy.errors import (
    ConnectionBusyError,
    RequestBodyTooLargeError,
    UnknownConnectionError,
    UnknownIntegrationError,
)
from dragoman_server.proxy.model import ProxyRequest, ProxyResponse, Target
from dragoman_server.proxy.service import Proxy
from dragoman_server.proxy.targets import Targets

__all__ = [
    "ConnectionBusyError",
    "Proxy",
    "ProxyRequest",
    "ProxyResponse",
    "RequestBodyTooLargeError",
    "Target",
    "Targets",
    "UnknownConnectionError",
    "UnknownIntegrationError",
]
