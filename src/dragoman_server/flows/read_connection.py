"""Read a connection with a credential that is fresh now."""

from dragoman_server.connect.credentials import Credentials
from dragoman_server.connect.grants.app_installation import app_jwt
from dragoman_server.connect.target import client_of
from dragoman_server.control import Connections, Integrations
from dragoman_server.control.model import Connection
from dragoman_server.kit.clock import Clock, SystemClock
from dragoman_server.providers.model import AuthMode, Credential

_INSTALLED = frozenset({AuthMode.APP, AuthMode.CUSTOM})


class ReadConnection:
    def __init__(
        self,
        *,
        integrations: Integrations,
        connections: Connections,
        credentials: Credentials,
        clock: Clock | None = None,
    ) -> None:
        self._clock = clock or SystemClock()
        self._integrations = integrations
        self._connections = connections
        self._credentials = credentials

    async def __call__(self, connection: Connection, *, force: bool) -> tuple[Connection, Credential]:
        """Return the connection as it is after the refresh, and its credential; raise what the refresh raised."""
        integration = await self._integrations.require(connection.environment_id, connection.integration_key)
        credential = await self._credentials.fresh(connection.environment_id, connection, integration, force=force)
        self._connections.touch_fetched(connection)
        found = await self._connections.by_row_id(connection.environment_id, connection.id)
        return found or connection, credential

    async def as_stored(self, connection: Connection) -> Credential | None:
        """Return the credential as it lies there; nothing is asked of the provider."""
        stored = await self._credentials.state(connection.environment_id, connection)
        return None if stored is None else stored.credential

    async def with_app_token(self, connection: Connection, credential: Credential) -> Credential:
        """Return an installed app's credential with a token of the app itself, signed now; any other as it is.

        That token opens every installation of the app, so it is made when asked for and stored nowhere.
        """
        if credential.type not in _INSTALLED:
            return credential
        integration = await self._integrations.require(connection.environment_id, connection.integration_key)
        client = client_of(integration, await self._integrations.credentials(integration))
        token = app_jwt(client, self._clock.now())
        return Credential(credential.type, {**credential.values, "jwtToken": token}, credential.expires_at)
