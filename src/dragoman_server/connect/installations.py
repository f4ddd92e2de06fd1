"""Connecting by an installation the provider reports: begin a pending connection, take the report, complete it.

The person installs our app in the provider's own store; the provider then calls our webhook. Whose installation it is
is told by values the application's backend preset in the connect session, never by what a person typed: else one could
claim another's installation. What the call brings is stored sealed before it is answered, and used from the outbox: a
process that dies in between costs nothing.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, cast

import msgspec

from dragoman_server import outbox
from dragoman_server.connect import _installation_store as _store
from dragoman_server.connect import turns
from dragoman_server.connect.authorize import KIND, pending_of
from dragoman_server.connect.connecting import Connected, Connecting
from dragoman_server.connect.consents.model import EXCHANGE_SECONDS, Asking, Departure, Returning
from dragoman_server.connect.consents.oauth2 import CodeConsent
from dragoman_server.connect.errors import (
    ConnectError,
    InstallationAwaitedError,
    InvalidAuthModeError,
    InvalidCredentialsError,
    TokenRequestError,
)
from dragoman_server.connect.exchange import Exchange
from dragoman_server.connect.grants import app_installation, dpop
from dragoman_server.connect.grants.installation_event import EventRule, Installed, matched, print_of
from dragoman_server.connect.grants.model import Need, TokenAnswer
from dragoman_server.connect.model import ConnectSession
from dragoman_server.connect.target import Owner, Target
from dragoman_server.control.connections import Connections
from dragoman_server.control.integrations import Integrations
from dragoman_server.control.model import Connection, Integration
from dragoman_server.db import Conn, Database
from dragoman_server.kit.errors import DragomanError
from dragoman_server.kit.ids import ConnectionRowId, EnvironmentId
from dragoman_server.kit.telemetry import get_logger
from dragoman_server.logs.operation import Operation
from dragoman_server.logs.service import Logs
from dragoman_server.outbox import Fact, StoredFact
from dragoman_server.providers.catalogue import Catalogue
from dragoman_server.providers.model import AuthMode, Credential, Provider
from dragoman_server.vault import Vault, data_key_of

FACT = "installation"
PURPOSE = "installation"
LIFE = timedelta(hours=24)
"""How long a connection waits for its installation."""
PATIENCE = timedelta(minutes=10)
"""How long what came is tried when nobody answers: an authorization code lives no longer (RFC 6749 section 4.1.2)."""
CLAIM = timedelta(seconds=60)
AGAIN = timedelta(seconds=15)
TURN_SECONDS = 8.0
EXPIRE_LIMIT = 100
log = get_logger("connect")


class Installations:
    def __init__(
        self,
        *,
        database: Database,
        vault: Vault,
        integrations: Integrations,
        connections: Connections,
        catalogue: Catalogue,
        exchange: Exchange,
        connecting: Connecting,
        logs: Logs,
    ) -> None:
        self._database = database
        self._vault = vault
        self._integrations = integrations
        self._connections = connections
        self._catalogue = catalogue
        self._exchange = exchange
        self._codes = CodeConsent(exchange=exchange)
        self._connecting = connecting
        self._logs = logs

    async def begin(self, session: ConnectSession, target: Target) -> Connection:
        """Return the connection that waits from now on; raise InstallationAwaitedError when another one does.

        A session that asks again gets the connection that waits for it already.
        """
        operation = self._logs.start(
            target.environment_id, KIND, integration=target.integration.unique_key, connection=target.connection_id
        )
        try:
            match_print = print_of(_whose(session, target))
            async with self._database.transaction() as conn:
                connection = await self._waiting(conn, session, target, match_print)
        except DragomanError as error:
            operation.finish("failed", {"type": error.public_code, "message": error.message})
            raise
        operation.about(connection=connection.connection_id, connection_row_id=connection.id)
        operation.info("The connection waits for its provider to report the installation.")
        operation.finish("success")
        return connection

    async def _waiting(self, conn: Conn, session: ConnectSession, target: Target, match_print: bytes) -> Connection:
        integration = target.integration
        found = await _store.awaited(conn, target.environment_id, integration.id, match_print)
        if found is not None:
            known = await self._connections.by_row_id(target.environment_id, found.connection, conn=conn)
            if known is not None and found.alive and found.session_id == session.id:
                return known
            if known is not None and (found.alive or found.received):
                raise InstallationAwaitedError(known.connection_id, found.expires_at)
            await self._drop(conn, target.environment_id, found.connection)
        connection = await self._row(conn, target)
        if target.reconnect is not None:
            await _store.delete(conn, target.environment_id, [connection.id])
        waits = await _store.wait(
            conn, target.environment_id, connection.id, integration.id, match_print, session.id, LIFE
        )
        if not waits:  # begun at the same moment
            raise InstallationAwaitedError
        return connection

    async def expire(self) -> float | None:
        """Remove connections whose installation never came; a turn of a loop, safe with many processes."""
        async with self._database.transaction() as conn:
            rows = await _store.expired(conn, EXPIRE_LIMIT)
            for environment_id, number in rows:
                await self._drop(conn, environment_id, number)
                log.info("installation_expired", environment_id=environment_id, connection=number)
        return 0.0 if len(rows) >= EXPIRE_LIMIT else None

    async def forget(self, conn: Conn, environment_id: EnvironmentId, numbers: Sequence[ConnectionRowId]) -> None:
        """Let deleted connections wait no more, in the caller's transaction."""
        await _store.delete(conn, environment_id, numbers)

    async def _drop(self, conn: Conn, environment_id: EnvironmentId, number: ConnectionRowId) -> None:
        """End the wait; a connection that never was complete goes with it (it has no credential and no syncs)."""
        if await self._connections.still_pending(conn, environment_id, number):
            gone = await self._connections.by_row_id(environment_id, number, conn=conn)
            if gone is not None:
                await self._connections.delete(conn, environment_id, gone.integration_key, gone.connection_id)
        await _store.delete(conn, environment_id, [number])

    async def _row(self, conn: Conn, target: Target) -> Connection:
        """Return a new connection that is pending, or the one to be authorized again, which works meanwhile."""
        if target.reconnect is not None:
            return await self._connections.require(
                target.environment_id, target.integration.unique_key, target.connection_id, conn=conn
            )
        connection, _ = await self._connections.upsert(
            conn,
            target.integration,
            target.connection_id,
            connection_config={**target.connection_config, "pending": True},
            metadata=target.owner.metadata,
            tags=target.owner.tags,
            end_user=target.owner.end_user,
            webhook_url_override=target.owner.webhook_url_override,
            pending=True,
        )
        return connection

    async def take(self, integration: Integration, provider: Provider, body: object) -> bool:
        """Keep what a verified webhook of the integration brings a waiting connection; False when it is for nobody."""
        rule = EventRule.of(provider.raw)
        event = None if rule is None else rule.read(body)
        if event is None:
            return False
        environment_id = integration.environment_id
        async with self._database.transaction() as conn:
            found = await _store.awaited(conn, environment_id, integration.id, print_of(event.match))
            if found is None or not found.alive or found.received:
                return False
            sealer = await self._vault.sealer(environment_id, PURPOSE, conn=conn)
            plain = msgspec.json.encode({"v": 1, "code": event.code, "config": dict(event.config)})
            sealed = sealer.seal(plain, _record_key(found.connection))
            await _store.receive(conn, environment_id, found.connection, sealed, data_key_of(sealed))
            await outbox.put(conn, [Fact(FACT, environment_id, str(found.connection), {"v": 1})])
        return True

    async def handle(self, facts: Sequence[StoredFact]) -> None:
        """Complete the connections whose installations were reported."""

        async def act(fact: StoredFact) -> timedelta | None:
            return await self.complete(fact.environment_id, ConnectionRowId(int(fact.key)))

        await turns.each(facts, act, seconds=TURN_SECONDS)

    async def complete(self, environment_id: EnvironmentId, number: ConnectionRowId) -> timedelta | None:
        """Use what came; return when to try again, None once it was used or refused. Safe to call at any time."""
        async with self._database.connection() as conn:
            arrived = await _store.claim(conn, environment_id, number, CLAIM)
            if arrived is None:
                return None if await _store.used(conn, environment_id, number) else CLAIM
            connection = await self._connections.by_row_id(environment_id, number, conn=conn)
        if connection is None:
            return await self._end(environment_id, number, refused=True)
        [plain] = await self._vault.open_all(environment_id, PURPOSE, None, [(arrived.sealed, _record_key(number))])
        kept = msgspec.json.decode(plain, type=dict[str, Any])
        event = Installed({}, kept["code"], kept["config"])
        operation = self._logs.start(
            environment_id, KIND, integration=connection.integration_key, connection=connection.connection_id
        )
        try:
            target = await self._target(connection)
        except DragomanError as error:  # the integration is gone
            operation.finish("failed", {"type": error.public_code, "message": error.message})
            return await self._end(environment_id, number, refused=True)
        return await self._use(target, number, event, operation, arrived)

    async def _use(
        self,
        target: Target,
        number: ConnectionRowId,
        event: Installed,
        operation: Operation,
        arrived: _store.Arrived,
    ) -> timedelta | None:
        async def also(conn: Conn, _connected: Connected) -> None:
            await _store.delete(conn, target.environment_id, [number])

        try:
            credential, config = await self._credential(target, event, operation, arrived.now)
            extra = {**config, **event.config}
            await self._connecting.complete(target, credential, operation, extra_config=extra, also=also)
        except DragomanError as error:
            passing = error.passing if isinstance(error, TokenRequestError) else not isinstance(error, ConnectError)
            if not passing or arrived.now - arrived.received_at > PATIENCE:
                await self._connecting.failed(target, error, operation)
                return await self._end(target.environment_id, number, refused=True)
            operation.finish("failed", {"type": error.public_code, "message": error.message})
            await self._end(target.environment_id, number, refused=False)
            return AGAIN
        return None

    async def _credential(
        self, target: Target, event: Installed, operation: Operation, now: datetime
    ) -> tuple[Credential, Mapping[str, str | bool]]:
        if target.provider.auth_mode is AuthMode.APP:
            return await self._installed_app(target, event, operation, now)
        entry = target.provider.raw
        memory = {} if (key := dpop.key_for(entry)) is None else {"dpop_key": key}
        pending = pending_of(target, Asking({}, (), {}), Departure("", memory=memory), "", operation.id)
        name = str(entry.get("authorization_code_param_in_callback") or "code")
        returning = Returning(target, pending, {name: event.code or ""}, now, operation)
        answer = await self._codes.redeem(returning, entry, returning.client)
        return self._codes.credential(returning, answer), answer.metadata

    async def _installed_app(
        self, target: Target, event: Installed, operation: Operation, now: datetime
    ) -> tuple[Credential, Mapping[str, str | bool]]:
        client = target.client()
        given = {"app_id": client.app_id, "installation_id": event.config.get("installation_id", "")}
        values = app_installation.values(given)
        need = Need(target.provider.raw, client, values, target.connection_config, now)
        answer = await self._exchange.follow(app_installation.flow(need), seconds=EXCHANGE_SECONDS, operation=operation)
        if not isinstance(answer, TokenAnswer):
            raise TokenRequestError(
                answer.sentence(),
                oauth_error=answer.error,
                public_code="token_err",
                passing=answer.may_have_happened,
            )
        life = answer.life or app_installation.LIFE
        kept = app_installation.kept(values, answer)
        return Credential(AuthMode.APP, kept, now + life), {"app_id": values["app_id"]}

    async def _target(self, connection: Connection) -> Target:
        integration = await self._integrations.require(connection.environment_id, connection.integration_key)
        return Target(
            environment_id=connection.environment_id,
            integration=integration,
            provider=self._catalogue.require(integration.provider),
            credentials=await self._integrations.credentials(integration),
            connection_id=connection.connection_id,
            connection_config={k: v for k, v in connection.connection_config.items() if k != "pending"},
            owner=Owner(),
            reconnect=connection.id,
        )

    async def _end(self, environment_id: EnvironmentId, number: ConnectionRowId, *, refused: bool) -> None:
        async with self._database.connection() as conn:
            await _store.release(conn, environment_id, number, refused=refused)


def _whose(session: ConnectSession, target: Target) -> dict[str, str]:
    """Return whose installation it is, as the backend said; raise when it cannot work."""
    unique_key, provider = target.integration.unique_key, target.provider
    rule = EventRule.of(provider.raw)
    if rule is None:
        raise InvalidAuthModeError(unique_key, provider.auth_mode.value, "a provider that reports its installations")
    secret = secret_name(provider)
    wanted = ("app_id", "private_key") if provider.auth_mode is AuthMode.APP else ("client_id",)
    for name in (*wanted, secret):
        if not target.credentials.get(name):
            raise InvalidCredentialsError(f"Integration `{unique_key}` has no `{name}` yet.")
    preset = cast("Mapping[str, Any]", session.defaults(unique_key).get("connection_config") or {})
    stored: Mapping[str, Any] = target.connection_config if target.reconnect is not None else {}
    found: dict[str, str] = {}
    for key in rule.match:
        value = matched(preset.get(key, stored.get(key)))
        if value is None:
            raise InvalidCredentialsError(
                f"Whose installation it is must be preset by the application's backend: give `{key}` as "
                f"`integrations_config_defaults.{unique_key}.connection_config.{key}` when making the session."
            )
        found[key] = value
    return found


def secret_name(provider: Provider) -> str:
    """Return the integration's field that holds the secret of the provider's webhooks."""
    webhook = cast("Mapping[str, Any]", provider.get("installation") or {}).get("webhook")
    signature = cast("Mapping[str, Any]", webhook or {}).get("signature")
    return str(cast("Mapping[str, Any]", signature or {}).get("secret") or "webhook_secret")


def _record_key(number: ConnectionRowId) -> bytes:
    return number.to_bytes(8, "big")
