"""The call that tells whether a credential works, made before it is stored."""

import asyncio
from collections.abc import Mapping
from typing import Any

import msgspec

from dragoman_server.connect.errors import ConnectionTestFailedError
from dragoman_server.egress.client import Deadlines, EgressClient
from dragoman_server.egress.errors import EgressRefusedError
from dragoman_server.kit.errors import DragomanError
from dragoman_server.logs.operation import Operation
from dragoman_server.providers.errors import TemplateError
from dragoman_server.providers.model import AuthMode, Credential, Provider, Verification
from dragoman_server.providers.rendering import OutboundRequest, build_request
from dragoman_server.providers.scope import RequestScope, template_scope
from dragoman_server.providers.templating import render_tree

SECONDS = 15.0
_CONSENTED = frozenset({AuthMode.OAUTH2})
"""Here the provider itself just issued the token: only a plain 401 speaks against it (403 is mostly about scopes)."""


class Verifier:
    """Tries the entry's verification endpoints in order; one that accepts the credential is enough."""

    def __init__(self, *, egress: EgressClient) -> None:
        self._egress = egress

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
        check = provider.proxy.verification
        if check is None or not check.endpoints:
            return
        scope = RequestScope(connection_config=connection_config, credential=credential, integration=integration)
        problem: ConnectionTestFailedError | None = None
        for endpoint in check.endpoints:
            problem = await self._try(provider, check, endpoint, scope, operation)
            if problem is None:
                return
        assert problem is not None  # there is at least one endpoint
        raise problem

    async def _try(
        self,
        provider: Provider,
        check: Verification,
        endpoint: str,
        scope: RequestScope,
        operation: Operation | None,
    ) -> ConnectionTestFailedError | None:
        name = provider.display_name
        try:
            request, body = _build(provider, check, endpoint, scope)
        except (TemplateError, DragomanError) as error:
            return ConnectionTestFailedError(f"The check of this {name} connection cannot be made: {error.message}")
        try:
            status = await self._status(request, body)
        except EgressRefusedError as error:
            return ConnectionTestFailedError(error.message)
        except (DragomanError, TimeoutError):
            return ConnectionTestFailedError(
                f"{name} could not be reached to check the connection. Check the address fields, then try again."
            )
        if operation is not None:
            shown = {"method": request.method, "url": request.url, "headers": dict(request.headers)}
            operation.http(request=shown, response={"status": status}, level="info" if status < 400 else "error")
        if 200 <= status < 300:
            return None
        credential = scope.credential
        if credential is not None and credential.type in _CONSENTED and status != 401:
            return None
        if status in {401, 403}:
            return ConnectionTestFailedError(
                f"{name} did not accept these credentials (HTTP {status}). Check them and try again."
            )
        return ConnectionTestFailedError(f"{name} answered HTTP {status} when the connection was checked. Try again.")

    async def _status(self, request: OutboundRequest, body: bytes | None) -> int:
        async with (
            asyncio.timeout(SECONDS),
            self._egress.request(
                request.method,
                request.url,
                headers=request.headers,
                body=body,
                deadlines=Deadlines().within(SECONDS),
                follow_redirects=3,
                credential_origins=request.credential_origins,
            ) as response,
        ):
            return response.status


def _build(
    provider: Provider, check: Verification, endpoint: str, scope: RequestScope
) -> tuple[OutboundRequest, bytes | None]:
    values = template_scope(scope)
    body: bytes | None = None
    headers: list[tuple[str, str]] = []
    if check.data is not None:
        body = msgspec.json.encode(render_tree(check.data, values))
        headers.append(("content-type", "application/json"))
    base = render_tree(check.base_url_override, values) if check.base_url_override else None
    path = str(render_tree(endpoint, values))
    request = build_request(
        provider,
        scope,
        method=check.method,
        endpoint=path,
        headers=headers,
        base_url_override=base,
        body=body,
        extra_headers=check.headers,
    )
    return request, body
