"""Take away what parts hold of a deleted connection: at once what must be gone, and the rest after commit."""

from collections.abc import Sequence

from dragoman_server import outbox
from dragoman_server.control.model import Connection
from dragoman_server.db import Conn
from dragoman_server.flows.schedules import schedule_facts
from dragoman_server.kit.ids import ConnectionRowId, EnvironmentId, SyncId
from dragoman_server.logs import Logs
from dragoman_server.outbox import Fact, StoredFact
from dragoman_server.records import Records
from dragoman_server.webhooks.service import Webhooks

FACT = "erase"


class Erasing:
    """`connect`'s callback for deletions, and the handler of `erase` facts."""

    def __init__(self, *, records: Records, logs: Logs, webhooks: Webhooks, erase_logs: bool) -> None:
        self._records = records
        self._logs = logs
        self._webhooks = webhooks
        self._erase_logs = erase_logs

    async def deleting(self, conn: Conn, connection: Connection, syncs: Sequence[SyncId]) -> None:
        """On the deleting transaction: records out of reach, schedules to end, the rest to erase."""
        await self.take_away(conn, connection.environment_id, connection.id, syncs)

    async def take_away(
        self, conn: Conn, environment_id: EnvironmentId, row_id: ConnectionRowId, syncs: Sequence[SyncId]
    ) -> None:
        await self._records.erase_connection(conn, environment_id, row_id)
        await self._records.forget_owners(conn, environment_id, list(syncs))
        facts = schedule_facts(environment_id, syncs)
        body = {"v": 1, "connection_row_id": row_id}
        facts.append(Fact(FACT, environment_id, f"connection:{row_id}", body))
        await outbox.put(conn, facts)

    async def handle(self, facts: Sequence[StoredFact]) -> None:
        """Erase deliveries, and by the operator's policy logs; safe to repeat."""
        for fact in facts:
            row_id = ConnectionRowId(fact.body["connection_row_id"])
            await self._webhooks.erase_connection(fact.environment_id, row_id)
            if self._erase_logs:
                await self._logs.erase_connection(fact.environment_id, row_id)
