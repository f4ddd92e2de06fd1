"""The verbs of connecting, for doors."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any
from uuid import UUID

from dragoman_server import outbox
from dragoman_server.connect import device
from dragoman_server.connect import target as targets
from dragoman_server.connect.authorize import CALLBACK_PATH, Asking, Authorize, Outcome
from dragoman_server.connect.book import PgBook
from dragoman_server.connect.connecting import Connected
from dragoman_server.connect.device import DeviceAuthorizations
from dragoman_server.connect.enter import Enter
from dragoman_server.connect.errors import IntegrationNotAllowedError
from dragoman_server.connect.handshake import Begun
from dragoman_server.connect.installations import Installations
from dragoman_server.connect.model import ConnectSession, CredentialKey, SessionOptions
from dragoman_server.connect.revoking import Revoking
from dragoman_server.connect.sessions import Sessions
from dragoman_server.connect.target import Owner, Target
from dragoman_server.control.connections import Connections
from dragoman_server.control.errors import UnknownConnectionError
from dragoman_server.control.integrations import Integrations
from dragoman_server.control.model import Connection, EndUser
from dragoman_server.db import Conn, Database
from dragoman_server.kit.errors import InvalidInputError, Issue
from dragoman_server.kit.ids import AccountId, ConnectionRowId, EnvironmentId, IntegrationId, SyncId
from dragoman_server.kit.secret import Secret
from dragoman_server.providers.catalogue import Catalogue
from dragoman_server.providers.model import AuthMode

OnDeleting = Callable[[Conn, Connection, Sequence[SyncId]], Awaitable[None]]
"""Writes on the deleting transaction: schedules to end, records to erase."""


class Connect:
    def __init__(
        self,
        *,
        database: Database,
        integrations: Integrations,
        connections: Connections,
        catalogue: Catalogue,
        sessions: Sessions,
        book: PgBook,
        authorize: Authorize,
        enter: Enter,
        devices: DeviceAuthorizations,
        installations: Installations,
        on_deleting: OnDeleting,
        revoking: Revoking,
        public_url: str,
    ) -> None:
        self._database = database
        self._integrations = integrations
        self._connections = connections
        self._catalogue = catalogue
        self.sessions = sessions
        self._book = book
        self._authorize = authorize
        self._enter = enter
        self._devices = devices
        self._installations = installations
        self._on_deleting = on_deleting
        self._revoking = revoking
        self.public_url = public_url.rstrip("/")

    def connect_link(self, token: Secret) -> str:
        return f"{self.public_url}/connect-ui/?session_token={token.reveal()}"

    async def create_session(
        self, environment_id: EnvironmentId, account_id: AccountId, options: SessionOptions
    ) -> tuple[ConnectSession, Secret]:
        """Return the session and its token; raise InvalidInputError naming integrations that do not exist."""
        await self._check_integrations(environment_id, options)
        return await self.sessions.create(environment_id, account_id, options)

    async def begin_oauth(
        self, session: ConnectSession, unique_key: str, params: Mapping[str, str], asking: Asking
    ) -> Begun:
        """Return where the browser goes and the cookie that ties the way back to it."""
        target = await self._target(session, unique_key, params)
        return await self._authorize.begin(target, self._preset(session, unique_key, asking))

    async def begin_device(
        self, session: ConnectSession, unique_key: str, params: Mapping[str, str], asking: Asking
    ) -> device.Begun:
        """Return the code a person types in on another device; raise where the provider has no such way."""
        target = await self._target(session, unique_key, params)
        return await self._devices.begin(session, target, self._preset(session, unique_key, asking))

    async def device_standing(self, session: ConnectSession, id_: UUID) -> device.Standing | None:
        """Return how such an authorization stands; None for one of another session."""
        return await self._devices.standing(session, id_)

    async def begin_installation(
        self, session: ConnectSession, unique_key: str, params: Mapping[str, Any]
    ) -> Connection:
        """Return the connection that waits for the provider to report an installation."""
        return await self._installations.begin(session, await self._target(session, unique_key, params))

    async def use_refresh_token(
        self, session: ConnectSession, unique_key: str, params: Mapping[str, str], asking: Asking, token: str
    ) -> Connected:
        """Connect with a refresh token that is brought along; raise with nothing stored when it does not work."""
        target = await self._target(session, unique_key, params)
        return await self._authorize.use_refresh_token(target, self._preset(session, unique_key, asking), token)

    async def client_metadata(self, environment_uuid: UUID, unique_key: str) -> dict[str, object] | None:
        """Return the client id metadata document that stands for an integration at authorization servers."""
        return await self._authorize.client_metadata(environment_uuid, unique_key)

    def _preset(self, session: ConnectSession, unique_key: str, asking: Asking) -> Asking:
        """The session's presets win over what the browser adds."""
        preset: Mapping[str, str] = session.defaults(unique_key).get("authorization_params") or {}
        scopes = session.defaults(unique_key).get("user_scopes")
        return Asking(
            authorization_params={**asking.authorization_params, **preset},
            user_scopes=targets.split_scopes(str(scopes)) if scopes else asking.user_scopes,
            client_override=asking.client_override,
            ws_client_id=asking.ws_client_id,
            opener=asking.opener,
        )

    async def finish_oauth(
        self, query: Mapping[str, str], cookies: Mapping[str, str], *, path: str = CALLBACK_PATH
    ) -> Outcome:
        """Take the provider's answer; never raises for what a provider or browser may send."""
        return await self._authorize.finish(query, cookies, path=path)

    async def shown_config(self, session: ConnectSession) -> dict[str, str]:
        """Return what is stored of the connection to be authorized again, as far as a person may see it."""
        reconnect = session.options.reconnect
        existing = None if reconnect is None else await self._connections.by_row_id(session.environment_id, reconnect)
        provider = None if existing is None else self._catalogue.get(existing.provider)
        if existing is None or provider is None:
            return {}
        fields = provider.connection_config.values()
        shown = [f.name for f in fields if not (f.secret or f.automated or f.hidden)]
        stored = existing.connection_config
        return {name: value for name in shown if isinstance(value := stored.get(name), str)}

    async def connect_with_credentials(
        self,
        session: ConnectSession,
        unique_key: str,
        mode: AuthMode,
        values: Mapping[str, Any],
        params: Mapping[str, str],
    ) -> Connected:
        """Connect with what a person typed in; raise with nothing stored when it does not work."""
        target = await self._target(session, unique_key, params)
        return await self._enter.connect(target, mode, values)

    async def import_connection(
        self,
        environment_id: EnvironmentId,
        unique_key: str,
        credentials: Mapping[str, Any],
        *,
        connection_id: str,
        connection_config: Mapping[str, Any] | None = None,
        metadata: Mapping[str, Any] | None = None,
        tags: Mapping[str, str] | None = None,
        end_user: EndUser | None = None,
        webhook_url_override: str | None = None,
    ) -> Connected:
        """Store a credential the customer brings (upsert by id); raise with nothing stored when it does not work."""
        integration = await self._integrations.require(environment_id, unique_key)
        config = dict(connection_config or {})
        target = Target(
            environment_id=environment_id,
            integration=integration,
            provider=self._catalogue.require(integration.provider),
            credentials=await self._integrations.credentials(integration),
            connection_id=connection_id,
            connection_config=config,
            owner=Owner(tags, end_user, webhook_url_override, metadata),
        )
        return await self._enter.bring(target, credentials)

    async def delete(self, environment_id: EnvironmentId, unique_key: str, connection_id: str) -> Connection:
        """Delete a connection, shred its credential, and let what must follow commit with it.

        Ending the grant at the provider follows after the commit.
        """
        async with self._database.transaction() as conn:
            connection, syncs = await self._connections.delete(conn, environment_id, unique_key, connection_id)
            await self.forget(
                conn,
                environment_id,
                connection.integration_id,
                connection.provider,
                [(connection.id, connection.uuid)],
            )
            await self._on_deleting(conn, connection, syncs)
        return connection

    async def forget(
        self,
        conn: Conn,
        environment_id: EnvironmentId,
        integration_id: IntegrationId,
        provider: str,
        connections: Sequence[tuple[ConnectionRowId, UUID]],
    ) -> None:
        """Shred the credentials of deleted connections of one integration, in the caller's transaction.

        Those whose provider is to be told first are only out of use until it has heard.
        """
        numbers = [row_id for row_id, _ in connections]
        await self._installations.forget(conn, environment_id, numbers)
        owed = await self._revoking.end(conn, environment_id, integration_id, provider, numbers)
        if owed is not None:
            await outbox.put(conn, [owed])
            return
        for row_id, uuid in connections:
            await self._book.delete(conn, CredentialKey(environment_id, row_id), uuid)

    async def forget_environment(self, conn: Conn, environment_id: EnvironmentId) -> None:
        """Destroy the credentials of a deleted environment and end its sessions, in the caller's transaction.

        Those whose provider is to be told first are only out of use until it has heard.
        """
        owed: list[outbox.Fact] = []
        for integration in await self._integrations.list(environment_id, conn=conn):
            numbers = await self._connections.numbers(environment_id, integration.id, conn=conn)
            fact = await self._revoking.end(conn, environment_id, integration.id, integration.provider, numbers)
            owed += [] if fact is None else [fact]
        await outbox.put(conn, owed)
        await self._book.delete_unended(conn, environment_id)

    async def _target(self, session: ConnectSession, unique_key: str, params: Mapping[str, str]) -> Target:
        if not session.allows(unique_key):
            raise IntegrationNotAllowedError(unique_key)
        integration = await self._integrations.require(session.environment_id, unique_key)
        existing: Connection | None = None
        if session.options.reconnect is not None:
            existing = await self._connections.by_row_id(session.environment_id, session.options.reconnect)
            if existing is None:
                raise UnknownConnectionError("(deleted)", unique_key, status=400)
        return targets.of_session(
            session,
            integration,
            self._catalogue.require(integration.provider),
            await self._integrations.credentials(integration),
            params,
            existing,
        )

    async def _check_integrations(self, environment_id: EnvironmentId, options: SessionOptions) -> None:
        places: list[tuple[str, tuple[str | int, ...]]] = [
            *((key, ("allowed_integrations", n)) for n, key in enumerate(options.allowed_integrations or ())),
            *((key, ("integrations_config_defaults", key)) for key in options.integrations_config_defaults),
            *((key, ("overrides", key)) for key in options.overrides),
        ]
        if not places:
            return
        known = {i.unique_key for i in await self._integrations.list(environment_id)}
        issues = [Issue("custom", "Integration does not exist", path) for key, path in places if key not in known]
        if issues:
            raise InvalidInputError("An integration named by the session does not exist.", issues=issues)
