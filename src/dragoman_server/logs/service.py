"""The verbs of the logs: start and reopen operations, search them, erase what concerns a connection."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from dragoman_server.db import Database
from dragoman_server.kit.clock import Clock
from dragoman_server.kit.ids import ConnectionRowId, EnvironmentId, OperationId
from dragoman_server.logs import _store
from dragoman_server.logs.model import Level, Message, OperationFilter, OperationView, Page, State
from dragoman_server.logs.operation import Operation, new_operation_id
from dragoman_server.logs.search import Search
from dragoman_server.logs.writer import Writer

ERASE_CHUNK = 500


class Logs:
    """One per process; `writer` is the service to run beside it."""

    def __init__(self, *, database: Database, clock: Clock | None = None, bound_bytes: int = 64_000_000) -> None:
        self._database = database
        self._search = Search(database)
        self.writer = Writer(database=database, clock=clock, bound_bytes=bound_bytes)

    def start(
        self,
        environment_id: EnvironmentId,
        kind: str,
        *,
        integration: str | None = None,
        connection: str | None = None,
        connection_row_id: ConnectionRowId | None = None,
        sync: str | None = None,
        function: str | None = None,
        meta: Mapping[str, Any] | None = None,
        operation_id: OperationId | None = None,
        waiting: bool = False,
    ) -> Operation:
        """Begin an operation; costs microseconds and never waits. `waiting`: queued, some process will `reopen` it.

        `operation_id` must be a uuid7 (`logs.operation.new_operation_id`); ValueError otherwise.
        """
        chosen = operation_id or new_operation_id(self.writer.now())
        operation = Operation(self.writer, environment_id, chosen, kind)
        operation.set_fields(integration, connection, connection_row_id, sync, function, meta)
        if waiting:
            operation.waiting()
        self.writer.changed(operation)
        return operation

    def reopen(self, environment_id: EnvironmentId, operation_id: OperationId) -> Operation:
        """Continue an operation that was started elsewhere; it is running in this process from now on."""
        operation = Operation(self.writer, environment_id, operation_id, "")
        self.writer.changed(operation)
        return operation

    async def flush(self) -> None:
        """Write what is buffered now."""
        await self.writer.flush()

    async def run(self) -> None:
        """Run the writer."""
        await self.writer.run()

    async def stop(self) -> None:
        """Stop the writer; it writes what is left."""
        await self.writer.stop()

    async def search_operations(
        self,
        environment_id: EnvironmentId,
        wanted: OperationFilter | None = None,
        *,
        cursor: str | None = None,
        limit: int = 50,
    ) -> Page[OperationView]:
        """Return a page of operations, newest first; raise InvalidCursorError for a cursor that is not ours."""
        return await self._search.operations(environment_id, wanted or OperationFilter(), cursor=cursor, limit=limit)

    async def operation(self, environment_id: EnvironmentId, operation_id: OperationId) -> OperationView:
        """Return one operation; raise UnknownOperationError."""
        return await self._search.operation(environment_id, operation_id)

    async def messages(
        self,
        environment_id: EnvironmentId,
        operation_id: OperationId,
        *,
        text: str | None = None,
        levels: Sequence[Level] = (),
        cursor: str | None = None,
        limit: int = 100,
        newer: bool = False,
    ) -> Page[Message]:
        """Return an operation's messages, newest first; with `newer` those after the cursor, oldest first."""
        return await self._search.messages(
            environment_id, operation_id, text=text, levels=levels, cursor=cursor, limit=limit, newer=newer
        )

    async def counts(
        self, environment_id: EnvironmentId, *, kinds: Sequence[str] = (), days: int = 14
    ) -> list[tuple[date, State, int]]:
        """Return how many operations are in which state, by UTC day."""
        return await self._search.counts(environment_id, kinds=kinds, days=days)

    async def erase_connection(self, environment_id: EnvironmentId, connection_row_id: ConnectionRowId) -> int:
        """Erase every operation about a connection with its messages; return how many. Safe to repeat."""
        await self.writer.flush()
        erased = 0
        while True:
            async with self._database.connection() as conn:
                count = await _store.erase_connection(conn, environment_id, connection_row_id, limit=ERASE_CHUNK)
            erased += count
            if count < ERASE_CHUNK:
                return erased
