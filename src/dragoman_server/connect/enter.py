"""Credentials typed in or brought along: whatever needs no consent in a browser, and imports of any mode."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, cast

from dragoman_server.connect.connecting import Connected, Connecting
from dragoman_server.connect.errors import InvalidAuthModeError, TokenRequestError
from dragoman_server.connect.exchange import Exchange
from dragoman_server.connect.grants import (
    api_key,
    aws_sts,
    basic,
    bill,
    client_credentials,
    none,
    signed_jwt,
    tba,
    two_step,
    wsse,
)
from dragoman_server.connect.grants.model import Need, TokenRefusal
from dragoman_server.connect.grants.registry import ISSUERS
from dragoman_server.connect.importing import imported, mode_of
from dragoman_server.connect.target import Target
from dragoman_server.db import Database
from dragoman_server.db.statement import read_sql
from dragoman_server.kit.errors import DragomanError
from dragoman_server.logs.operation import Operation
from dragoman_server.logs.service import Logs
from dragoman_server.providers.model import AuthMode, Credential

EXCHANGE_SECONDS = 15.0
KIND = "auth:create_connection"
TIME_NOW = read_sql(__package__ or "", "time_now")
_INSTALLED = frozenset({AuthMode.APP, AuthMode.CUSTOM})
_VERIFIED_IMPORTS = frozenset({AuthMode.API_KEY, AuthMode.BASIC, AuthMode.TBA})


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
        once = two_step.options(target.provider.raw, given) if mode is AuthMode.TWO_STEP else {}
        operation = self._start(target)
        try:
            credential = Credential(mode, values)
            operation.hide([*credential.secrets(), *(v for v in once.values() if v)])
            credential, extra = await self.issued(target, credential, operation, once=once)
            return await self._connecting.complete(target, credential, operation, extra_config=extra)
        except DragomanError as error:
            await self._connecting.failed(target, error, operation)
            raise

    async def bring(self, target: Target, given: Mapping[str, Any], *, verify: bool = True) -> Connected:
        """Import a credential with its tokens (POST /connections); raise with nothing stored when it does not work."""
        mode = mode_of(given)
        expect_mode(target, mode)
        credential = imported(target, mode, given, typed_values)
        operation = self._start(target)
        try:
            operation.hide(credential.secrets())
            names = ("app_id", "installation_id") if mode in _INSTALLED else ()
            extra: dict[str, str | bool] = {name: str(credential.values[name]) for name in names}
            issuer = ISSUERS.get(mode)
            if issuer is not None and issuer.obtain is not None and not _has_token(credential):
                credential, more = await self.issued(target, credential, operation)
                extra |= more
            checked = verify and mode in _VERIFIED_IMPORTS
            return await self._connecting.complete(target, credential, operation, verify=checked, extra_config=extra)
        except DragomanError as error:
            await self._connecting.failed(target, error, operation)
            raise

    async def issued(
        self, target: Target, credential: Credential, operation: Operation, *, once: Mapping[str, Any] | None = None
    ) -> tuple[Credential, dict[str, str | bool]]:
        """Return the credential with its first token, and what the answer adds to the connection config."""
        issuer = ISSUERS.get(credential.type)
        if issuer is None or issuer.obtain is None:
            return credential, {}
        now = cast("datetime", await self._database.fetchval(TIME_NOW))
        need = Need(
            target.provider.raw, target.client(), credential.values, target.connection_config, now, dict(once or {})
        )
        answer = await self._exchange.follow(issuer.obtain(need), seconds=EXCHANGE_SECONDS, operation=operation)
        if isinstance(answer, TokenRefusal):
            raise TokenRequestError(
                answer.sentence(), oauth_error=answer.error, public_code=issuer.problem, status=issuer.status
            )
        life = answer.life or issuer.life
        values = issuer.kept(credential.values, answer)
        return Credential(credential.type, values, None if life is None else now + life), dict(answer.metadata)

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
    if has is not mode and not (has is AuthMode.INSTALL_PLUGIN and mode is AuthMode.BASIC):
        raise InvalidAuthModeError(target.integration.unique_key, has.value, mode.value)


def typed_values(target: Target, mode: AuthMode, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the credential's fields; raise InvalidCredentialsError naming what is wrong."""
    entry = target.provider.raw
    match mode:
        case AuthMode.API_KEY:
            return api_key.values(entry, given)
        case AuthMode.BASIC:
            return basic.values(entry, given)
        case AuthMode.OAUTH2_CC:
            return client_credentials.values(given)
        case AuthMode.NONE:
            return none.values()
        case AuthMode.TWO_STEP:
            return two_step.values(entry, given)
        case AuthMode.JWT:
            return signed_jwt.values(entry, given)
        case AuthMode.SIGNATURE:
            return wsse.values(entry, given)
        case AuthMode.BILL:
            return bill.values(given)
        case AuthMode.TBA:
            return tba.values(entry, given)
        case AuthMode.AWS_SIGV4:
            return aws_sts.values(given, target.connection_config, target.integration.custom)
        case _:
            raise InvalidAuthModeError(
                target.integration.unique_key, mode.value, "a mode whose credentials are typed in"
            )


def _has_token(credential: Credential) -> bool:
    return credential.token() is not None or bool(credential.values.get("access_key_id"))
