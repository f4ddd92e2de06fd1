"""The OAuth front channel: from a browser's click to the provider, and back with a code."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from dragoman_server.connect.connecting import Connecting
from dragoman_server.connect.errors import InvalidAuthModeError, InvalidCredentialsError, StateError, TokenRequestError
from dragoman_server.connect.exchange import Exchange
from dragoman_server.connect.grants import authorization_code, pkce
from dragoman_server.connect.grants.model import TokenAnswer
from dragoman_server.connect.grants.token_response import pick
from dragoman_server.connect.handshake import Begun, Handshakes, Pending
from dragoman_server.connect.target import Owner, Target, end_user_of
from dragoman_server.control.integrations import Integrations
from dragoman_server.kit.errors import DragomanError
from dragoman_server.kit.ids import ConnectionRowId, EnvironmentId, OperationId
from dragoman_server.logs.operation import Operation
from dragoman_server.logs.service import Logs
from dragoman_server.providers.catalogue import Catalogue
from dragoman_server.providers.model import AuthMode, Credential

EXCHANGE_SECONDS = 15.0
CALLBACK_PATH = "/oauth/callback"
KIND = "auth:create_connection"


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an authorization ended, for the callback page. `error_type` is None on success."""

    error_type: str | None
    message: str
    integration: str | None = None
    connection_id: str | None = None
    ws_client_id: str | None = None
    opener_origin: str | None = None
    page: bool = False

    @property
    def ok(self) -> bool:
        return self.error_type is None


@dataclass(frozen=True, slots=True)
class Asking:
    """What the browser adds to an authorization request."""

    authorization_params: Mapping[str, str]
    user_scopes: Sequence[str]
    client_override: Mapping[str, str]
    ws_client_id: str | None = None
    opener: str | None = None
    page: bool = False


class Authorize:
    def __init__(
        self,
        *,
        integrations: Integrations,
        catalogue: Catalogue,
        handshakes: Handshakes,
        exchange: Exchange,
        connecting: Connecting,
        logs: Logs,
        public_url: str,
    ) -> None:
        self._integrations = integrations
        self._catalogue = catalogue
        self._handshakes = handshakes
        self._exchange = exchange
        self._connecting = connecting
        self._logs = logs
        self._public_url = public_url.rstrip("/")

    async def begin(self, target: Target, asking: Asking) -> Begun:
        """Return where the browser goes and its cookie; raise before anything is stored when it cannot work."""
        provider, unique_key = target.provider, target.integration.unique_key
        if provider.auth_mode is not AuthMode.OAUTH2:
            raise InvalidAuthModeError(unique_key, provider.auth_mode.value, AuthMode.OAUTH2.value)
        client = target.client(asking.client_override)
        if not client.client_id:
            raise InvalidCredentialsError(f"Integration `{unique_key}` has no client id yet.")
        verifier = pkce.new_verifier() if authorization_code.uses_pkce(provider.raw) else None
        redirect_uri = self._redirect_uri(target)
        asked = authorization_code.Asked(
            redirect_uri=redirect_uri,
            state="",
            verifier=verifier,
            connection_config=target.connection_config,
            authorization_params=asking.authorization_params,
            user_scopes=asking.user_scopes,
        )
        authorization_code.authorization_url(provider.raw, client, asked)  # raises for a missing field
        operation = self._logs.start(target.environment_id, KIND, integration=unique_key)
        operation.hide([s for s in (client.client_secret, verifier) if s])
        state, cookie, value = await self._handshakes.begin(
            _pending(target, asking, verifier, redirect_uri, operation.id)
        )
        operation.hide([state])
        url = authorization_code.authorization_url(
            provider.raw,
            client,
            authorization_code.Asked(
                redirect_uri, state, verifier, target.connection_config, asking.authorization_params, asking.user_scopes
            ),
        )
        operation.info("The browser is sent to the provider.", provider=provider.name, redirect_uri=redirect_uri)
        return Begun(url, cookie, value, urlsplit(redirect_uri).path)

    async def finish(
        self, query: Mapping[str, str], cookies: Mapping[str, str], *, path: str = CALLBACK_PATH
    ) -> Outcome:
        """Take the provider's answer; every failure is an outcome the page shows, with nothing stored."""
        try:
            pending, now = await self._handshakes.finish(query.get("state"), cookies)
        except StateError as error:
            return Outcome(error.public_code, error.message)
        operation = self._logs.reopen(EnvironmentId(pending.environment_id), OperationId(pending.operation_id))
        try:
            target = await self._target(pending)
        except DragomanError as error:
            operation.finish("failed", {"type": error.public_code, "message": error.message})
            return _outcome(pending, error.public_code, error.message)
        try:
            connected = await self._complete(pending, target, query, path, now, operation)
        except DragomanError as error:
            await self._connecting.failed(target, error, operation)
            return _outcome(pending, error.public_code, error.message)
        return _outcome(pending, None, "The account is connected.", connected)

    async def _complete(
        self,
        pending: Pending,
        target: Target,
        query: Mapping[str, str],
        path: str,
        now: datetime,
        operation: Operation,
    ) -> str:
        entry = target.provider.raw
        if urlsplit(pending.redirect_uri).path.rpartition(CALLBACK_PATH)[2] != path.removeprefix(CALLBACK_PATH):
            raise StateError("The callback came to another address than it was asked for.")
        if authorization_code.issuer_is_wrong(entry, target.connection_config, query.get("iss")):
            raise StateError("The answer came from another authorization server than was asked (RFC 9207).")
        if "error" in query:
            code = query["error"][:64]
            raise TokenRequestError(f"The provider refused the authorization (`{code}`).", public_code="callback_err")
        name = str(entry.get("authorization_code_param_in_callback") or "code")
        if not query.get(name):
            raise TokenRequestError(f"The provider's answer carries no `{name}`.", public_code="callback_err")
        client = target.client(pending.config_override)
        operation.hide([s for s in (query[name], pending.verifier, client.client_secret) if s])
        request = authorization_code.token_request(
            entry,
            client,
            code=query[name],
            verifier=pending.verifier,
            redirect_uri=pending.redirect_uri,
            connection_config=target.connection_config,
        )
        answer = await self._exchange.ask(entry, request, now=now, seconds=EXCHANGE_SECONDS, operation=operation)
        if not isinstance(answer, TokenAnswer):
            raise TokenRequestError(answer.sentence(), oauth_error=answer.error, public_code="token_err")
        values: dict[str, Any] = {"access_token": answer.access_token, "raw": dict(answer.raw)}
        if answer.refresh_token:
            values["refresh_token"] = answer.refresh_token
        if pending.config_override:
            values["config_override"] = pending.config_override
        extra = {**pick(query, list(entry.get("redirect_uri_metadata") or [])), **answer.metadata}
        credential = Credential(AuthMode.OAUTH2, values, answer.expires_at(now))
        connected = await self._connecting.complete(target, credential, operation, extra_config=extra)
        return connected.connection.connection_id

    async def _target(self, pending: Pending) -> Target:
        environment_id = EnvironmentId(pending.environment_id)
        integration = await self._integrations.require(environment_id, pending.integration)
        return Target(
            environment_id=environment_id,
            integration=integration,
            provider=self._catalogue.require(integration.provider),
            credentials=await self._integrations.credentials(integration),
            connection_id=pending.connection_id,
            connection_config=pending.connection_config,
            owner=Owner(
                pending.tags, end_user_of(pending.end_user, None), webhook_url_override=pending.webhook_url_override
            ),
            reconnect=None if pending.reconnect is None else ConnectionRowId(pending.reconnect),
            session_id=pending.session_id,
        )

    def _redirect_uri(self, target: Target) -> str:
        """The one callback, or the integration's own where it asks for that (mix-up defence without `iss`)."""
        own = target.integration.custom.get("oauth_callback") == "own"
        return f"{self._public_url}{CALLBACK_PATH}" + (f"/{target.integration.uuid}" if own else "")


def _pending(target: Target, asking: Asking, verifier: str | None, redirect_uri: str, operation_id: UUID) -> Pending:
    end_user = target.owner.end_user
    return Pending(
        environment_id=target.environment_id,
        integration=target.integration.unique_key,
        connection_id=target.connection_id,
        reconnect=target.reconnect,
        session_id=target.session_id,
        verifier=verifier,
        redirect_uri=redirect_uri,
        connection_config=dict(target.connection_config),
        config_override=dict(asking.client_override) or None,
        tags=None if target.owner.tags is None else dict(target.owner.tags),
        end_user=None if end_user is None else end_user.public(),
        webhook_url_override=target.owner.webhook_url_override,
        operation_id=operation_id,
        ws_client_id=asking.ws_client_id,
        opener_origin=_origin(asking.opener),
        page=asking.page,
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


def _outcome(pending: Pending, error_type: str | None, message: str, connection_id: str | None = None) -> Outcome:
    return Outcome(
        error_type=error_type,
        message=message,
        integration=pending.integration,
        connection_id=connection_id or pending.connection_id,
        ws_client_id=pending.ws_client_id,
        opener_origin=pending.opener_origin,
        page=pending.page,
    )
