"""What is the same in every call of a connection, kept between calls: base URL, entry headers, origins, secrets.

Only for entries whose headers depend on nothing but the connection, its credential and its integration; and each use
compares the values it was made from, so nothing here can be stale. What it keeps is no more than those parts cache.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dragoman_server.kit.ids import ConnectionRowId
from dragoman_server.providers.model import Credential, Provider
from dragoman_server.providers.rendering import (
    OutboundRequest,
    Proven,
    RequestScope,
    build_request,
    callers_headers,
    checked_method,
    signs_requests,
)
from dragoman_server.providers.templating import parse_template
from dragoman_server.providers.urls import is_absolute, join_url, with_query
from dragoman_server.proxy.model import ProxyRequest, Target

_CONSTANT_ROOTS = frozenset(
    {
        "accessToken", "apiKey", "clientId", "clientSecret", "connectionConfig", "credentials", "custom",
        "integrationConfig", "metadata", "password", "refreshToken", "token", "username",
    }
)  # fmt: skip
_KEPT = 2048


def scope_of(target: Target, credential: Credential, application: Mapping[str, Any]) -> RequestScope:
    """Return what the entry's templates may name for this connection."""
    integration = target.integration
    return RequestScope(
        connection_config=target.connection.connection_config,
        credential=credential,
        integration={**application, "custom": integration.custom, "integration_config": integration.config},
        metadata=target.connection.metadata or {},
    )


@dataclass(frozen=True, slots=True, repr=False)
class Prepared:
    """The constant part of a connection's requests, and the values it was made from."""

    provider: Provider
    target: Target
    credential: Credential
    application: Mapping[str, Any]
    base_url: str
    headers: list[tuple[str, str]]
    names: frozenset[str]
    origins: frozenset[str]
    proven: Proven | None
    certificate: tuple[str, str] | None

    def is_for(
        self, provider: Provider, target: Target, credential: Credential, application: Mapping[str, Any]
    ) -> bool:
        """Return True if these are the values it was made from."""
        mine, yours = self.target, target
        return (
            self.provider is provider
            and (self.credential is credential or self.credential == credential)
            and (self.application is application or self.application == application)
            and mine.environment_id == yours.environment_id
            and (mine.connection is yours.connection or _same_connection(mine, yours))
            and (mine.integration is yours.integration or _same_integration(mine, yours))
        )

    def request(self, request: ProxyRequest) -> OutboundRequest | None:
        """Return the rendered request, or None where the caller's headers meet the entry's and rules must decide."""
        headers: list[tuple[str, str]] = []
        for name, value in callers_headers(request.headers):
            if name in self.names:
                return None
            headers.append((name, value))
        headers += self.headers
        url = join_url(self.base_url, request.endpoint)
        if request.query:
            url = with_query(url, request.query)
        return OutboundRequest(
            checked_method(request.method),
            url,
            headers,
            self.origins,
            dpop=self.proven,
            client_certificate=self.certificate,
        )


def _same_connection(mine: Target, yours: Target) -> bool:
    a, b = mine.connection, yours.connection
    return a.connection_config == b.connection_config and a.metadata == b.metadata


def _same_integration(mine: Target, yours: Target) -> bool:
    a, b = mine.integration, yours.integration
    return a.config == b.config and a.custom == b.custom and a.allowed_origins == b.allowed_origins


class Preparer:
    """Renders requests, from what it kept where that is allowed."""

    def __init__(self) -> None:
        self._kept: dict[ConnectionRowId, Prepared] = {}
        self._constant: dict[Provider, bool] = {}
        self._secrets: dict[ConnectionRowId, tuple[Credential, list[str]]] = {}

    def secrets(self, connection: ConnectionRowId, credential: Credential) -> list[str]:
        """Return `credential.secrets()`, looked for once while the connection keeps that very credential."""
        kept = self._secrets.get(connection)
        if kept is None or kept[0] is not credential:
            if len(self._secrets) >= _KEPT:
                self._secrets.clear()
            kept = self._secrets[connection] = (credential, credential.secrets())
        return kept[1]

    def render(
        self,
        provider: Provider,
        target: Target,
        credential: Credential,
        application: Mapping[str, Any],
        request: ProxyRequest,
        body: bytes | None,
    ) -> OutboundRequest:
        """Return the authorized request; raises what `build_request` raises."""
        if request.base_url_override is None and not is_absolute(request.endpoint) and self._is_constant(provider):
            prepared = self._kept.get(target.connection.id)
            if prepared is None or not prepared.is_for(provider, target, credential, application):
                prepared = self._prepare(provider, target, credential, application)
            outbound = prepared.request(request)
            if outbound is not None:
                return outbound
        return build_request(
            provider,
            scope_of(target, credential, application),
            method=request.method,
            endpoint=request.endpoint,
            query=request.query,
            headers=request.headers,
            base_url_override=request.base_url_override,
            allowed_origins=target.integration.allowed_origins,
            body=body,
        )

    def _prepare(
        self, provider: Provider, target: Target, credential: Credential, application: Mapping[str, Any]
    ) -> Prepared:
        blank = build_request(
            provider,
            scope_of(target, credential, application),
            method="GET",
            endpoint="",
            allowed_origins=target.integration.allowed_origins,
        )
        prepared = Prepared(
            provider=provider,
            target=target,
            credential=credential,
            application=application,
            base_url=blank.url,
            headers=blank.headers,
            names=frozenset(name for name, _ in blank.headers),
            origins=blank.credential_origins,
            proven=blank.dpop,
            certificate=blank.client_certificate,
        )
        while len(self._kept) >= _KEPT:
            del self._kept[next(iter(self._kept))]
        self._kept[target.connection.id] = prepared
        return prepared

    def _is_constant(self, provider: Provider) -> bool:
        known = self._constant.get(provider)
        if known is None:
            hints = provider.proxy
            templates = (*hints.headers.values(), *hints.base_urls, *hints.origins)
            known = (
                not hints.query
                and not hints.body
                and not signs_requests(provider)
                and all(parse_template(template).roots <= _CONSTANT_ROOTS for template in templates)
            )
            self._constant[provider] = known
        return known
