"""Read a connection with a credential that is fresh now."""

from dragoman_server.connect.credentials import Credentials
from dragoman_server.control import Connections, Integrations
from dragoman_server.control.model import Connection
from dragoman_server.providers.model import Credential


class ReadConnection:
    def __init__(self, *, integrations: Integrations, connections: Connections, credentials: Credentials) -> None:
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
