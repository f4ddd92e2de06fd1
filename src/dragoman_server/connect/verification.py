"""The call that tells whether a credential works, made before it is stored."""

import asyncio
from collections.abc import Mapping
from typing import Any

from dragoman_server.connect.errors import ConnectionTestFailedError
from dragoman_server.egress.client import Deadlines, EgressClient
from dragoman_server.egress.errors import EgressRefusedError
from dragoman_server.kit.clock import SystemClock
from dragoman_server.kit.errors import DragomanError
from dragoman_server.logs.operation import Operation
from dragoman_server.providers import dpop
from dragoman_server.providers.model import AuthMode, Credential, Provider
from dragoman_server.providers.rendering import OutboundRequest
from dragoman_server.providers.scope import RequestScope
from dragoman_server.providers.verification import VerificationCall, verification_calls

SECONDS = 15.0
_CONSENTED = frozenset(
    {
        AuthMode.OAUTH2,
        AuthMode.OAUTH1,
        AuthMode.APP,
        AuthMode.CUSTOM,
        AuthMode.MCP_OAUTH2,
        AuthMode.MCP_OAUTH2_GENERIC,
    }
)
"""Here the provider itself just issued the token: only a plain 401 speaks against it (403 is mostly about scopes)."""


class Verifier:
    """Tries the entry's verification endpoints in order; one that accepts the credential is enough."""

    def __init__(self, *, egress: EgressClient) -> None:
        self._egress = egress
        self._nonces = dpop.Nonces()

    async def verify(
        self,
        provider: Provider,
        connection_config: Mapping[str, Any],
        credential: Credential,
        integration: Mapping[str, Any],
        *,
        operation: Operation | None = None,
    ) -> None:
        """Return if the credential works or the entry has no check; raise ConnectionTestFailedError otherwise."""
        scope = RequestScope(connection_config=connection_config, credential=credential, integration=integration)
        name = provider.display_name
        try:
            calls = verification_calls(provider, scope)
        except DragomanError as error:
            raise ConnectionTestFailedError(
                f"The check of this {name} connection cannot be made: {error.message}"
            ) from error
        problem: ConnectionTestFailedError | None = None
        for call in calls:
            problem = await self._try(name, call, credential, operation)
            if problem is None:
                return
        if problem is not None:
            raise problem

    async def _try(
        self, name: str, call: VerificationCall, credential: Credential, operation: Operation | None
    ) -> ConnectionTestFailedError | None:
        try:
            status = await self._status(call.request, call.body)
        except EgressRefusedError as error:
            return ConnectionTestFailedError(error.message)
        except (DragomanError, TimeoutError):
            return ConnectionTestFailedError(
                f"{name} could not be reached to check the connection. Check the address fields, then try again."
            )
        if operation is not None:
            request = call.request
            shown = {"method": request.method, "url": request.url, "headers": dict(request.headers)}
            operation.http(request=shown, response={"status": status}, level="info" if status < 400 else "error")
        if 200 <= status < 300:
            return None
        if credential.type in _CONSENTED and status != 401:
            return None
        if status in {401, 403}:
            return ConnectionTestFailedError(
                f"{name} did not accept these credentials (HTTP {status}). Check them and try again."
            )
        return ConnectionTestFailedError(f"{name} answered HTTP {status} when the connection was checked. Try again.")

    async def _status(self, request: OutboundRequest, body: bytes | None) -> int:
        status, wants_nonce = await self._once(request, body)
        return (await self._once(request, body))[0] if wants_nonce else status

    async def _once(self, request: OutboundRequest, body: bytes | None) -> tuple[int, bool]:
        """Return the status, and whether only a nonce of the server was missing (RFC 9449 section 9)."""
        headers, proven = request.headers, request.dpop
        if proven is not None:
            nonce, now = self._nonces.of(proven.key, request.url), SystemClock().now()
            made = dpop.proof(
                proven.key, method=request.method, url=request.url, now=now, nonce=nonce, token=proven.token
            )
            headers = [*headers, ("dpop", made)]
        async with (
            asyncio.timeout(SECONDS),
            self._egress.request(
                request.method,
                request.url,
                headers=headers,
                body=body,
                deadlines=Deadlines().within(SECONDS),
                follow_redirects=3 if proven is None else 0,
                credential_origins=request.credential_origins,
                client_certificate=request.client_certificate,
            ) as response,
        ):
            if proven is None:
                return response.status, False
            self._nonces.learn(proven.key, request.url, response.header("dpop-nonce"))
            return response.status, dpop.resource_wants_nonce(response.status, response.header)
