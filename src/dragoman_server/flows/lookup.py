"""Find what a request names, or refuse in the words its route uses: the status of the same mistake differs by route."""

from dragoman_server.control import Connections, Integrations
from dragoman_server.control.errors import UnknownConnectionError, UnknownIntegrationError
from dragoman_server.control.model import Connection, Integration
from dragoman_server.kit.ids import EnvironmentId


async def integration_or_refuse(
    integrations: Integrations, environment_id: EnvironmentId, key: str, *, status: int = 404
) -> Integration:
    """Return the integration; raise `UnknownIntegrationError` with this route's status."""
    found = await integrations.get(environment_id, key)
    if found is None:
        raise UnknownIntegrationError(key, status=status)
    return found


async def connection_or_refuse(
    integrations: Integrations,
    connections: Connections,
    environment_id: EnvironmentId,
    integration_key: str,
    connection_id: str,
    *,
    status: int = 400,
    integration_status: int = 400,
) -> Connection:
    """Return the connection; only when there is none, find out whether the integration is the one missing."""
    found = await connections.get(environment_id, integration_key, connection_id)
    if found is None:
        await integration_or_refuse(integrations, environment_id, integration_key, status=integration_status)
        raise UnknownConnectionError(connection_id, integration_key, status=status)
    return found
