"""The perimeter: every outbound HTTP call of the platform leaves through here.

`rules` decides, purely, which addresses may be dialled; `client` is the one guarded client: it checks each resolved
address and dials exactly that one, re-checks every redirect, keeps credentials on their own origins and always has
deadlines. Called by proxy, connect, webhooks and runners; stores nothing; one client per process that talks outwards.
"""

from dragoman_server.egress.client import Deadlines, EgressClient
from dragoman_server.egress.errors import (
    EgressRefusedError,
    InvalidRequestError,
    InvalidUpstreamAnswerError,
    RedirectRefusedError,
    ResponseTooLargeError,
    UpstreamTimeoutError,
    UpstreamUnreachableError,
)
from dragoman_server.egress.response import EgressResponse
from dragoman_server.egress.rules import EgressRules, is_public
from dragoman_server.egress.wire import Body, Headers

__all__ = [
    "Body",
    "Deadlines",
    "EgressClient",
    "EgressRefusedError",
    "EgressResponse",
    "EgressRules",
    "Headers",
    "InvalidRequestError",
    "InvalidUpstreamAnswerError",
    "RedirectRefusedError",
    "ResponseTooLargeError",
    "UpstreamTimeoutError",
    "UpstreamUnreachableError",
    "is_public",
]
