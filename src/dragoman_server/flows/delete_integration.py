"""Delete an integration with its connections, functions and syncs, in one transaction."""

from dragoman_server import outbox
from dragoman_server.connect.service import Connect
from dragoman_server.control import Integrations
from dragoman_server.db import Database
from dragoman_server.flows.erasing import Erasing
from dragoman_server.flows.schedules import schedule_facts
from dragoman_server.kit.ids import EnvironmentId
from dragoman_server.records import Records


class DeleteIntegration:
    def __init__(
        self, *, database: Database, integrations: Integrations, connect: Connect, erasing: Erasing, records: Records
    ) -> None:
        self._database = database
        self._integrations = integrations
        self._connect = connect
        self._erasing = erasing
        self._records = records

    async def __call__(self, environment_id: EnvironmentId, unique_key: str) -> None:
        """Raise `UnknownIntegrationError` when there is none."""
        async with self._database.transaction() as conn:
            deleted = await self._integrations.delete(environment_id, unique_key, conn=conn)
            gone = deleted.integration
            connections = [(row_id, uuid) for row_id, uuid, _ in deleted.connections]
            await self._connect.forget(conn, environment_id, gone.id, gone.provider, connections)
            for row_id, _ in connections:
                await self._erasing.take_away(conn, environment_id, row_id, [])
            await self._records.forget_owners(conn, environment_id, list(deleted.syncs))
            await outbox.put(conn, schedule_facts(environment_id, deleted.syncs))
