"""The front channel: from a browser's click to the provider, and back with a code, a token or an installation."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import cast
from urllib.parse import urlsplit
from uuid import UUID

from dragoman_server.connect.connecting import Connected, Connecting
from dragoman_server.connect.consents.installation import AppConsent, CustomConsent, PluginConsent
from dragoman_server.connect.consents.mcp import McpConsent, document
from dragoman_server.connect.consents.model import EXCHANGE_SECONDS, Asking, Consent, Departure, Leaving, Returning
from dragoman_server.connect.consents.oauth1 import OAuth1Consent
from dragoman_server.connect.consents.oauth2 import CodeConsent
from dragoman_server.connect.errors import InvalidAuthModeError, StateError, TokenRequestError
from dragoman_server.connect.exchange import Exchange
from dragoman_server.connect.grants.model import Need, TokenAnswer
from dragoman_server.connect.grants.registry import ISSUERS
from dragoman_server.connect.handshake import Begun, Handshakes, Pending
from dragoman_server.connect.target import Owner, Target, end_user_of
from dragoman_server.control.environments import Environments
from dragoman_server.control.integrations import Integrations
from dragoman_server.kit.clock import SystemClock
from dragoman_server.kit.errors import DragomanError
from dragoman_server.kit.ids import ConnectionRowId, EnvironmentId, OperationId
from dragoman_server.logs.operation import Operation
from dragoman_server.logs.service import Logs
from dragoman_server.providers.catalogue import Catalogue
from dragoman_server.providers.model import AuthMode, Credential

__all__ = ["CALLBACK_PATH", "INSTALLED_PATH", "REDIRECTING", "Asking", "Authorize", "Outcome"]

CALLBACK_PATH = "/oauth/callback"
INSTALLED_PATH = "/app-auth/connect"
CONNECTED = "The account is connected."
KIND = "auth:create_connection"
REDIRECTING = frozenset(
    {
        AuthMode.OAUTH2,
        AuthMode.OAUTH1,
        AuthMode.APP,
        AuthMode.CUSTOM,
        AuthMode.MCP_OAUTH2,
        AuthMode.MCP_OAUTH2_GENERIC,
        AuthMode.INSTALL_PLUGIN,
    }
)
"""Modes that send the browser to the provider."""
_STATE_NAMES = ("state", "payload", "customField")


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an authorization ended, for the callback page. `error_type` is None on success."""

    error_type: str | None
    message: str
    integration: str | None = None
    connection_id: str | None = None
    ws_client_id: str | None = None
    opener_origin: str | None = None
    waiting: bool = False

    @property
    def ok(self) -> bool:
        return self.error_type is None


class Authorize:
    """`page_of` says where a browser finds a provider's page: in a simulation, elsewhere."""

    def __init__(
        self,
        *,
        integrations: Integrations,
        catalogue: Catalogue,
        handshakes: Handshakes,
        exchange: Exchange,
        connecting: Connecting,
        logs: Logs,
        environments: Environments,
        public_url: str,
        page_of: Callable[[str], str] = str,
    ) -> None:
        self._integrations = integrations
        self._catalogue = catalogue
        self._handshakes = handshakes
        self._exchange = exchange
        self._connecting = connecting
        self._logs = logs
        self._environments = environments
        self._public_url = public_url.rstrip("/")
        self._page_of = page_of
        codes = CodeConsent(exchange=exchange)
        mcp = McpConsent(exchange=exchange, codes=codes, environments=environments, public_url=public_url)
        self._consents: Mapping[AuthMode, Consent] = {
            AuthMode.OAUTH2: codes,
            AuthMode.OAUTH1: OAuth1Consent(exchange=exchange),
            AuthMode.APP: AppConsent(exchange=exchange),
            AuthMode.CUSTOM: CustomConsent(exchange=exchange, codes=codes),
            AuthMode.MCP_OAUTH2: mcp,
            AuthMode.MCP_OAUTH2_GENERIC: mcp,
            AuthMode.INSTALL_PLUGIN: PluginConsent(),
        }

    async def begin(self, target: Target, asking: Asking) -> Begun:
        """Return where the browser goes and its cookie; raise before anything is stored when it cannot work."""
        consent = self._consent(target)
        redirect_uri = self._redirect_uri(target)
        operation = self._logs.start(target.environment_id, KIND, integration=target.integration.unique_key)
        state = self._handshakes.mint()
        operation.hide([state])
        client = target.client(asking.client_override)
        leaving = Leaving(target, client, asking, state, redirect_uri, SystemClock().now(), operation)
        try:
            departure = await consent.begin(leaving)
            cookie, value = await self._handshakes.begin(
                pending_of(target, asking, departure, redirect_uri, operation.id), state
            )
        except DragomanError as error:
            operation.finish("failed", {"type": error.public_code, "message": error.message})
            raise
        provider = target.provider.name
        operation.info("The browser is sent to the provider.", provider=provider, redirect_uri=redirect_uri)
        return Begun(self._page_of(departure.url), cookie, value, urlsplit(redirect_uri).path)

    async def use_refresh_token(self, target: Target, asking: Asking, token: str) -> Connected:
        """Connect with a refresh token the customer brings, without asking the person; raise with nothing stored."""
        if target.provider.auth_mode is not AuthMode.OAUTH2:
            raise InvalidAuthModeError(
                target.integration.unique_key, target.provider.auth_mode.value, AuthMode.OAUTH2.value
            )
        operation = self._logs.start(target.environment_id, KIND, integration=target.integration.unique_key)
        client, now = target.client(asking.client_override), SystemClock().now()
        values: dict[str, object] = {"refresh_token": token}
        if asking.client_override:
            values["config_override"] = dict(asking.client_override)
        operation.hide([token])
        issuer = ISSUERS[AuthMode.OAUTH2]
        need = Need(target.provider.raw, client, values, target.connection_config, now)
        try:
            answer = await self._exchange.follow(issuer.renew(need), seconds=EXCHANGE_SECONDS, operation=operation)
            if not isinstance(answer, TokenAnswer):
                raise TokenRequestError(answer.sentence(), oauth_error=answer.error, public_code="token_err")
            credential = Credential(AuthMode.OAUTH2, issuer.kept(values, answer), answer.expires_at(now))
            return await self._connecting.complete(target, credential, operation, extra_config=answer.metadata)
        except DragomanError as error:
            await self._connecting.failed(target, error, operation)
            raise

    async def client_metadata(self, environment_uuid: UUID, unique_key: str) -> dict[str, object] | None:
        """Return the client id metadata document of an integration; None when there is no such integration."""
        environment = await self._environments.by_uuid(environment_uuid)
        integration = None if environment is None else await self._integrations.get(environment.id, unique_key)
        if environment is None or integration is None:
            return None
        provider = self._catalogue.get(integration.provider)
        if provider is None or provider.auth_mode not in {AuthMode.MCP_OAUTH2, AuthMode.MCP_OAUTH2_GENERIC}:
            return None
        credentials = await self._integrations.credentials(integration)
        redirect_uri = f"{self._public_url}{CALLBACK_PATH}"
        return cast(
            "dict[str, object]",
            document(self._public_url, str(environment_uuid), unique_key, redirect_uri, credentials),
        )

    async def finish(
        self, query: Mapping[str, str], cookies: Mapping[str, str], *, path: str = CALLBACK_PATH
    ) -> Outcome:
        """Take the provider's answer; every failure is an outcome the page shows, with nothing stored."""
        try:
            state = next((query[name] for name in _STATE_NAMES if query.get(name)), None)
            pending, now = await self._handshakes.finish(state, cookies)
        except StateError as error:
            return Outcome(error.public_code, error.message)
        operation = self._logs.reopen(EnvironmentId(pending.environment_id), OperationId(pending.operation_id))
        try:
            target = await self._target(pending)
        except DragomanError as error:
            operation.finish("failed", {"type": error.public_code, "message": error.message})
            return outcome_of(pending, error.public_code, error.message)
        try:
            connection_id, waiting = await self._complete(pending, target, query, path, now, operation)
        except DragomanError as error:
            await self._connecting.failed(target, error, operation)
            return outcome_of(pending, error.public_code, error.message)
        message = "The account is connected. An owner must still approve the installation." if waiting else CONNECTED
        return outcome_of(pending, None, message, connection_id, waiting=waiting)

    async def _complete(
        self,
        pending: Pending,
        target: Target,
        query: Mapping[str, str],
        path: str,
        now: datetime,
        operation: Operation,
    ) -> tuple[str, bool]:
        if _own_path(pending.redirect_uri) != _own_path(path):
            raise StateError("The callback came to another address than it was asked for.")
        operation.hide([v for k, v in query.items() if k not in _PLAIN and v])
        arrival = await self._consent(target).arrive(Returning(target, pending, query, now, operation))
        connected = await self._connecting.complete(target, arrival.credential, operation, extra_config=arrival.config)
        return connected.connection.connection_id, arrival.waiting

    def _consent(self, target: Target) -> Consent:
        mode = target.provider.auth_mode
        consent = self._consents.get(mode)
        if consent is None:
            raise InvalidAuthModeError(target.integration.unique_key, mode.value, "a mode with a consent")
        return consent

    async def _target(self, pending: Pending) -> Target:
        return await target_of(pending, self._integrations, self._catalogue)

    def _redirect_uri(self, target: Target) -> str:
        """The one callback, or the integration's own where it asks for that (mix-up defence without `iss`)."""
        if target.provider.auth_mode is AuthMode.APP:
            return f"{self._public_url}{INSTALLED_PATH}"
        own = target.integration.custom.get("oauth_callback") == "own"
        return f"{self._public_url}{CALLBACK_PATH}" + (f"/{target.integration.uuid}" if own else "")


_PLAIN = frozenset({"error", "iss", "scope", "setup_action", "installation_id", "realm"})
"""What a callback says that is no secret."""


async def target_of(pending: Pending, integrations: Integrations, catalogue: Catalogue) -> Target:
    """Return whom a pending authorization is for, as integration and catalogue are now."""
    environment_id = EnvironmentId(pending.environment_id)
    integration = await integrations.require(environment_id, pending.integration)
    return Target(
        environment_id=environment_id,
        integration=integration,
        provider=catalogue.require(integration.provider),
        credentials=await integrations.credentials(integration),
        connection_id=pending.connection_id,
        connection_config=pending.connection_config,
        owner=Owner(
            pending.tags, end_user_of(pending.end_user, None), webhook_url_override=pending.webhook_url_override
        ),
        reconnect=None if pending.reconnect is None else ConnectionRowId(pending.reconnect),
        session_id=pending.session_id,
    )


def _own_path(url: str) -> str:
    """Return the part of a callback's address that is ours: the public address may itself have a path."""
    path = urlsplit(url).path
    for known in (CALLBACK_PATH, INSTALLED_PATH):
        if known in path:
            return path[path.index(known) :]
    return path


def pending_of(target: Target, asking: Asking, departure: Departure, redirect_uri: str, operation_id: UUID) -> Pending:
    """Return what must be known when the provider's answer comes."""
    end_user = target.owner.end_user
    return Pending(
        environment_id=target.environment_id,
        integration=target.integration.unique_key,
        connection_id=target.connection_id,
        reconnect=target.reconnect,
        session_id=target.session_id,
        verifier=departure.verifier,
        redirect_uri=redirect_uri,
        connection_config=dict(target.connection_config),
        config_override=dict(departure.client or asking.client_override) or None,
        tags=None if target.owner.tags is None else dict(target.owner.tags),
        end_user=None if end_user is None else end_user.public(),
        webhook_url_override=target.owner.webhook_url_override,
        operation_id=operation_id,
        ws_client_id=asking.ws_client_id,
        opener_origin=_origin(asking.opener),
        memory=dict(departure.memory),
    )


def _origin(url: str | None) -> str | None:
    """Return the origin of the page that opened the window, as its Referer tells."""
    if not url:
        return None
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        return None
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{parts.scheme}://{host}" + (f":{port}" if port else "")


def outcome_of(
    pending: Pending,
    error_type: str | None,
    message: str,
    connection_id: str | None = None,
    *,
    waiting: bool = False,
) -> Outcome:
    """Return how `pending` ended, addressed to the socket and the window that wait for it."""
    return Outcome(
        error_type=error_type,
        message=message,
        integration=pending.integration,
        connection_id=connection_id or pending.connection_id,
        ws_client_id=pending.ws_client_id,
        opener_origin=pending.opener_origin,
        waiting=waiting,
    )
