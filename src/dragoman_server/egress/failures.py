"""aiohttp's errors in our terms. Nothing of their text is kept: it may hold the URL."""

from collections.abc import Mapping

import aiohttp
from aiohttp.client_exceptions import (
    ClientConnectorCertificateError,
    ClientConnectorDNSError,
    ClientConnectorError,
    ClientConnectorSSLError,
    ClientPayloadError,
    ClientResponseError,
    ConnectionTimeoutError,
    InvalidURL,
    NonHttpUrlClientError,
)

from dragoman_server.egress.errors import (
    EgressRefusedError,
    InvalidRequestError,
    InvalidUpstreamAnswerError,
    UpstreamTimeoutError,
    UpstreamUnreachableError,
)


class RefusedAddressError(OSError):
    """Raised inside the connector, which lets only OSErrors through; all are equal, so several addresses stay one."""

    def __init__(self) -> None:
        super().__init__("address refused by the egress rules")


_NEVER_SENT: Mapping[type[BaseException], str] = {
    ClientConnectorDNSError: "its name cannot be resolved",
    ClientConnectorCertificateError: "its TLS certificate is not valid for it",
    ClientConnectorSSLError: "the TLS handshake failed",
}


def translate(error: BaseException, host: str, phase: str) -> Exception:
    """Return our error for what a request to `host` met while `phase`."""
    if isinstance(error, ConnectionTimeoutError):
        return UpstreamTimeoutError(host, "connecting", sent=False)
    if isinstance(error, TimeoutError):
        return UpstreamTimeoutError(host, phase, sent=True)
    if isinstance(error, ClientConnectorError):
        if isinstance(error.os_error, RefusedAddressError):
            return EgressRefusedError(host)
        for kind, why in _NEVER_SENT.items():
            if isinstance(error, kind):
                return UpstreamUnreachableError(host, why, sent=False)
        return UpstreamUnreachableError(host, "the connection was refused or is not possible", sent=False)
    if isinstance(error, InvalidURL | NonHttpUrlClientError):
        return InvalidRequestError("The URL is not valid.")
    if isinstance(error, ClientResponseError):
        return InvalidUpstreamAnswerError(host, "it is not valid HTTP, or its headers are too large")
    if isinstance(error, ClientPayloadError):
        return UpstreamUnreachableError(host, "the body ended too early", sent=True)
    if isinstance(error, ValueError) and not isinstance(error, OSError | aiohttp.ClientError):
        return InvalidRequestError("The request cannot be sent as HTTP.")
    return UpstreamUnreachableError(host, "the connection was closed before the answer was complete", sent=True)
