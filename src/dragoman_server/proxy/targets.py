"""From the two names a caller gives to the rows a call needs."""

from collections.abc import Awaitable, Callable

from dragoman_server.kit.errors import NotFoundError
from dragoman_server.kit.ids import EnvironmentId
from dragoman_server.proxy.errors import UnknownConnectionError, UnknownIntegrationError
from dragoman_server.proxy.model import Target
from dragoman_server.proxy.ports import ConnectionLike, IntegrationLike

FindIntegration = Callable[[EnvironmentId, str], Awaitable[IntegrationLike | None]]
"""`control.Integrations.get`: (environment, unique key)."""
FindConnection = Callable[[EnvironmentId, str, str], Awaitable[ConnectionLike | None]]
"""`control.Connections.get`: (environment, integration key, public id)."""


class Targets:
    """Both look-ups are cached by `control`; this adds the errors the proxy's callers expect."""

    def __init__(self, *, integration: FindIntegration, connection: FindConnection) -> None:
        self._integration = integration
        self._connection = connection

    async def find(self, environment_id: EnvironmentId, integration_key: str, connection_id: str) -> Target:
        """Return the target; raises UnknownIntegrationError (404) or UnknownConnectionError (400)."""
        try:
            integration = await self._integration(environment_id, integration_key)
        except NotFoundError:
            integration = None
        if integration is None:
            raise UnknownIntegrationError(integration_key)
        try:
            connection = await self._connection(environment_id, integration_key, connection_id)
        except NotFoundError:
            connection = None
        if connection is None:
            raise UnknownConnectionError(connection_id, integration_key)
        return Target(environment_id, integration, connection)
