"""Credentials typed in or brought along: API key, user and password, client credentials, none, and imports."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, cast

from dragoman_server.connect.book import moment_of
from dragoman_server.connect.connecting import Connected, Connecting
from dragoman_server.connect.errors import InvalidAuthModeError, InvalidCredentialsError, TokenRequestError
from dragoman_server.connect.exchange import Exchange
from dragoman_server.connect.grants import api_key, basic, client_credentials, none
from dragoman_server.connect.grants.fields import read_text
from dragoman_server.connect.grants.model import TokenAnswer
from dragoman_server.connect.target import Target
from dragoman_server.db import Database
from dragoman_server.db.statement import read_sql
from dragoman_server.kit.errors import DragomanError
from dragoman_server.logs.operation import Operation
from dragoman_server.logs.service import Logs
from dragoman_server.providers.model import AuthMode, Credential

EXCHANGE_SECONDS = 15.0
KIND = "auth:create_connection"
LONGEST_TOKEN = 16_384
TIME_NOW = read_sql(__package__ or "", "time_now")


class Enter:
    def __init__(self, *, database: Database, exchange: Exchange, connecting: Connecting, logs: Logs) -> None:
        self._database = database
        self._exchange = exchange
        self._connecting = connecting
        self._logs = logs

    async def connect(self, target: Target, mode: AuthMode, given: Mapping[str, Any]) -> Connected:
        """Connect with what a person typed; raise with nothing stored when it does not work."""
        expect_mode(target, mode)
        values = typed_values(target, mode, given)
        operation = self._start(target)
        try:
            credential = Credential(mode, values)
            operation.hide(credential.secrets())
            if mode is AuthMode.OAUTH2_CC:
                credential = await self._client_credentials(target, credential, operation)
            return await self._connecting.complete(target, credential, operation)
        except DragomanError as error:
            await self._connecting.failed(target, error, operation)
            raise

    async def bring(self, target: Target, given: Mapping[str, Any], *, verify: bool = True) -> Connected:
        """Import a credential with its tokens (POST /connections); raise with nothing stored when it does not work."""
        mode = _mode_of(given)
        expect_mode(target, mode)
        credential = imported(target, mode, given)
        operation = self._start(target)
        try:
            checked = verify and mode in {AuthMode.API_KEY, AuthMode.BASIC}
            return await self._connecting.complete(target, credential, operation, verify=checked)
        except DragomanError as error:
            await self._connecting.failed(target, error, operation)
            raise

    async def _client_credentials(self, target: Target, credential: Credential, operation: Operation) -> Credential:
        entry = target.provider.raw
        now = cast("datetime", await self._database.fetchval(TIME_NOW))
        request = client_credentials.token_request(
            entry, target.client(), credential=credential, connection_config=target.connection_config
        )
        answer = await self._exchange.ask(entry, request, now=now, seconds=EXCHANGE_SECONDS, operation=operation)
        if not isinstance(answer, TokenAnswer):
            raise TokenRequestError(
                answer.sentence(), oauth_error=answer.error, public_code="client_credentials_fetch_error"
            )
        life = answer.life or client_credentials.LIFE_WHEN_UNSTATED
        return Credential(AuthMode.OAUTH2_CC, client_credentials.renewed_values(credential.values, answer), now + life)

    def _start(self, target: Target) -> Operation:
        return self._logs.start(
            target.environment_id,
            KIND,
            integration=target.integration.unique_key,
            connection=target.connection_id,
            meta={"auth_mode": target.provider.auth_mode.value, "provider": target.provider.name},
        )


def expect_mode(target: Target, mode: AuthMode) -> None:
    """Raise InvalidAuthModeError unless the integration's provider uses `mode`."""
    has = target.provider.auth_mode
    if has is not mode:
        raise InvalidAuthModeError(target.integration.unique_key, has.value, mode.value)


def typed_values(target: Target, mode: AuthMode, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the credential's fields; raise InvalidCredentialsError naming what is wrong."""
    entry = target.provider.raw
    if mode is AuthMode.API_KEY:
        return api_key.values(entry, given)
    if mode is AuthMode.BASIC:
        return basic.values(entry, given)
    if mode is AuthMode.OAUTH2_CC:
        return client_credentials.values(given)
    if mode is AuthMode.NONE:
        return none.values()
    raise InvalidAuthModeError(target.integration.unique_key, mode.value, "a mode whose credentials are typed in")


def _mode_of(given: Mapping[str, Any]) -> AuthMode:
    try:
        return AuthMode(str(given.get("type")))
    except ValueError:
        raise InvalidCredentialsError(
            "`credentials.type` must name an auth mode, e.g. `OAUTH2` or `API_KEY`."
        ) from None


def imported(target: Target, mode: AuthMode, given: Mapping[str, Any]) -> Credential:
    """Return the credential an import brings; raise InvalidCredentialsError naming what is wrong."""
    expires_at = moment_of(given.get("expires_at"))
    if given.get("expires_at") is not None and expires_at is None:
        raise InvalidCredentialsError("Credential field `expires_at` must be an ISO 8601 date.")
    if mode is AuthMode.OAUTH2:
        values: dict[str, Any] = {"access_token": read_text(given, "access_token", longest=LONGEST_TOKEN)}
        refresh_token = read_text(given, "refresh_token", longest=LONGEST_TOKEN, required=False)
        if refresh_token:
            values["refresh_token"] = refresh_token
        override = given.get("config_override")
        if isinstance(override, Mapping):
            own = cast("Mapping[str, Any]", override)
            values["config_override"] = {
                k: read_text(own, k, longest=n, required=False)
                for k, n in (("client_id", 255), ("client_secret", 2048))
                if own.get(k)
            }
        values["raw"] = {k: v for k, v in values.items() if k != "config_override"}
        return Credential(mode, values, expires_at)
    if mode is AuthMode.OAUTH2_CC:
        values = client_credentials.values(given) | {"token": read_text(given, "token", longest=4096)}
        values["raw"] = {"token": values["token"]}
        return Credential(mode, values, expires_at)
    return Credential(mode, typed_values(target, mode, given))
