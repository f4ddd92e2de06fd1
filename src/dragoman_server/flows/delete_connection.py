"""Delete a connection: its credential is shredded, its schedules end, its records are erased."""

from dragoman_server.connect.service import Connect
from dragoman_server.kit.ids import EnvironmentId


class DeleteConnection:
    def __init__(self, *, connect: Connect) -> None:
        self._connect = connect

    async def __call__(self, environment_id: EnvironmentId, integration_key: str, connection_id: str) -> None:
        """Raise `UnknownConnectionError` when there is none."""
        await self._connect.delete(environment_id, integration_key, connection_id)
