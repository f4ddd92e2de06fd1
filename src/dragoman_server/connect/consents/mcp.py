"""MCP servers: find the authorization server, obtain a client, then an authorization code as ever.

A client is the integration's own where it has one (static); else a metadata document of ours where the server takes
those and can reach us; else one registered for this connection and kept with its credential.
"""

from dataclasses import replace
from typing import Any

from dragoman_server.connect.consents.model import EXCHANGE_SECONDS, Arrival, Departure, Leaving, Returning
from dragoman_server.connect.consents.oauth2 import CodeConsent
from dragoman_server.connect.errors import InvalidCredentialsError
from dragoman_server.connect.exchange import Exchange
from dragoman_server.connect.grants import discovery, registration
from dragoman_server.connect.grants.discovery import Server
from dragoman_server.connect.grants.token_request import render_params, template_scope
from dragoman_server.connect.target import Target
from dragoman_server.control.environments import Environments
from dragoman_server.providers.model import AuthMode, Credential
from dragoman_server.providers.rendering import RequestScope
from dragoman_server.providers.scope import template_scope as proxy_scope
from dragoman_server.providers.urls import render_url

METADATA_PATH = "/oauth/client-metadata"


class McpConsent:
    def __init__(self, *, exchange: Exchange, codes: CodeConsent, environments: Environments, public_url: str) -> None:
        self._exchange = exchange
        self._codes = codes
        self._environments = environments
        self._public_url = public_url.rstrip("/")

    async def begin(self, leaving: Leaving) -> Departure:
        target = leaving.target
        server = await self._server(leaving)
        client, server = await self._client(leaving, server)
        wanted = replace(
            leaving.client,
            client_id=client["client_id"],
            client_secret=client.get("client_secret", ""),
            scopes=leaving.client.scopes or server.scopes,
        )
        departure = await self._codes.departure(leaving, discovery.entry_for(target.provider.raw, server), wanted)
        return Departure(departure.url, departure.verifier, client, {**departure.memory, "server": server.kept()})

    async def arrive(self, returning: Returning) -> Arrival:
        kept: dict[str, Any] = returning.pending.memory["server"]
        entry = discovery.entry_for(returning.target.provider.raw, Server.stored(kept))
        answer = await self._codes.redeem(returning, entry, returning.client)
        made = self._codes.credential(returning, answer)
        credential = Credential(made.type, {**made.values, "server": kept}, made.expires_at)
        return Arrival(credential, self._codes.config(returning, answer))

    async def _server(self, leaving: Leaving) -> Server:
        """The entry's own endpoints where it names them, else what is discovered from the server's address."""
        target = leaving.target
        entry, scope = target.provider.raw, template_scope(leaving.client, target.connection_config)
        if (
            target.provider.auth_mode is AuthMode.MCP_OAUTH2
            and entry.get("authorization_url")
            and entry.get("token_url")
        ):
            register = entry.get("registration_url")
            issuer = entry.get("issuer")
            return Server(
                issuer=render_url(str(issuer), scope) if issuer else "",
                authorization_endpoint=render_url(str(entry["authorization_url"]), scope),
                token_endpoint=render_url(str(entry["token_url"]), scope),
                registration_endpoint=render_url(str(register), scope) if register else None,
                says_issuer=bool(entry.get("authorization_response_iss_parameter_supported")),
                takes_client_documents=entry.get("client_registration") == "cimd",
            )
        return await self._exchange.follow(
            discovery.discover(_address(target)), seconds=EXCHANGE_SECONDS, operation=leaving.operation
        )

    async def _client(self, leaving: Leaving, server: Server) -> tuple[dict[str, str], Server]:
        target, own = leaving.target, leaving.client
        entry = target.provider.raw
        how = str(entry.get("client_registration") or "")
        if own.client_id and how != "dynamic":
            client = {"client_id": own.client_id, "client_secret": own.client_secret}
            method = "client_secret_post" if own.client_secret else "none"
            return {k: v for k, v in client.items() if v}, replace(server, auth_method=method)
        if how == "static":
            raise InvalidCredentialsError(f"Integration `{target.integration.unique_key}` has no client id yet.")
        if how == "cimd" or (server.takes_client_documents and self._public_url.startswith("https://")):
            return {"client_id": await self._document_url(target)}, server
        if not server.registration_endpoint:
            raise InvalidCredentialsError(
                "This authorization server registers no clients by itself. Give the integration a client id."
            )
        method = registration.auth_method(server.auth_methods)
        scopes = " ".join(own.scopes or server.scopes)
        extra = render_params(entry.get("registration_params"), template_scope(own, target.connection_config))
        wanted = registration.description(leaving.redirect_uri, target.credentials, scopes=scopes)
        wanted |= {"token_endpoint_auth_method": method, **extra}
        client, method = await self._exchange.follow(
            registration.register(server.registration_endpoint, wanted),
            seconds=EXCHANGE_SECONDS,
            operation=leaving.operation,
        )
        leaving.operation.hide([s for s in (client.get("client_secret"),) if s])
        return client, replace(server, auth_method=method)

    async def _document_url(self, target: Target) -> str:
        environment = await self._environments.require(target.environment_id)
        return document_url(self._public_url, str(environment.uuid), target.integration.unique_key)


def document_url(public_url: str, environment_uuid: str, unique_key: str) -> str:
    """Return the address of an integration's client metadata document, which is its client id."""
    from urllib.parse import quote

    return f"{public_url}{METADATA_PATH}/{environment_uuid}/{quote(unique_key, safe='')}"


def document(
    public_url: str, environment_uuid: str, target_key: str, redirect_uri: str, credentials: Any
) -> dict[str, Any]:
    """Return the client metadata document."""
    own = registration.description(redirect_uri, credentials)
    return {"client_id": document_url(public_url, environment_uuid, target_key), **own}


def _address(target: Target) -> str:
    """The MCP server's address: the person's, or the entry's own."""
    typed = target.connection_config.get("mcp_server_url")
    if isinstance(typed, str) and typed:
        return typed
    for template in target.provider.proxy.base_urls:
        scope = proxy_scope(RequestScope(connection_config=target.connection_config))
        return render_url(template, scope)
    raise InvalidCredentialsError("`mcp_server_url` is missing.")
