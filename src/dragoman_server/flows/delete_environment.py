"""Delete an environment: its keys are refused, its credentials destroyed and its schedules ended at once.

The rest is erased after its time of grace.
"""

from dragoman_server import outbox
from dragoman_server.connect.service import Connect
from dragoman_server.control import Environments, Integrations, Syncs
from dragoman_server.db import Database
from dragoman_server.flows.schedules import schedule_facts
from dragoman_server.kit.ids import AccountId, EnvironmentId


class DeleteEnvironment:
    def __init__(
        self,
        *,
        database: Database,
        environments: Environments,
        integrations: Integrations,
        syncs: Syncs,
        connect: Connect,
    ) -> None:
        self._connect = connect
        self._database = database
        self._environments = environments
        self._integrations = integrations
        self._syncs = syncs

    async def __call__(self, account_id: AccountId, environment_id: EnvironmentId) -> None:
        """Raise `ProductionEnvironmentError` or `UnknownEnvironmentError`."""
        async with self._database.transaction() as conn:
            found = [
                sync.id
                for integration in await self._integrations.list(environment_id, conn=conn)
                for sync in await self._syncs.find(environment_id, integration.unique_key, conn=conn)
            ]
            await self._environments.delete(environment_id, account_id, conn=conn)
            await self._connect.forget_environment(conn, environment_id)
            await outbox.put(conn, schedule_facts(environment_id, found))
