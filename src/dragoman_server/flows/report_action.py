"""Tell how asynchronous actions ended, exactly once, also when whoever ran them died."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any
from uuid import UUID

from dragoman_server import outbox
from dragoman_server.control import Connections, Runs
from dragoman_server.control.model import RunEnd, RunStart, RunState
from dragoman_server.db import Database
from dragoman_server.flows.actions import FACT, LOOK_AGAIN, finish_unrun, operation_of, spec_of
from dragoman_server.flows.notify import action_fact
from dragoman_server.kit.ids import ConnectionRowId, EnvironmentId, OperationId, RunId
from dragoman_server.logs import Logs
from dragoman_server.orchestrator.port import Engine
from dragoman_server.orchestrator.states import TaskState
from dragoman_server.outbox import FactsFailedError, NotYetError, StoredFact

STATES: Mapping[TaskState, RunState] = {
    TaskState.SUCCEEDED: "success",
    TaskState.FAILED: "failed",
    TaskState.CANCELLED: "cancelled",
    TaskState.EXPIRED: "failed",
}


class ReportAction:
    """Writes the end of an async action; and the handler of `action` facts, which stands behind it."""

    def __init__(self, *, database: Database, connections: Connections, runs: Runs, engine: Engine, logs: Logs) -> None:
        self._database = database
        self._connections = connections
        self._runs = runs
        self._engine = engine
        self._logs = logs

    async def __call__(
        self,
        environment_id: EnvironmentId,
        run_id: RunId,
        *,
        connection_row_id: ConnectionRowId,
        action: str,
        operation_id: OperationId,
        state: RunState,
        error: Mapping[str, Any] | None,
    ) -> None:
        """One transaction: the run row and its webhook. A second report of the same run changes nothing."""
        connection = await self._connections.by_row_id(environment_id, connection_row_id)
        async with self._database.transaction() as conn:
            start = RunStart(
                run_id,
                environment_id,
                action,
                "action",
                connection_row_id=connection_row_id,
                operation_id=operation_id,
            )
            if not await self._runs.start(conn, start):
                return
            await self._runs.finish(conn, RunEnd(run_id, environment_id, 1, state, error=error))
            if connection is not None:
                await outbox.put(conn, [action_fact(connection, str(run_id))])

    async def hurry(self, ended: Mapping[int, Collection[UUID]]) -> None:
        """Tasks ended in their worker's place: look at once at those that are async actions."""
        async with self._database.transaction() as conn:
            for environment_id, task_ids in ended.items():
                await outbox.hurry(conn, EnvironmentId(environment_id), FACT, [str(i) for i in task_ids])

    async def handle(self, facts: Sequence[StoredFact]) -> None:
        """Look whether the action has ended; submit it if it never was; look again later if it has not."""
        later: dict[int, Exception] = {}
        for fact in facts:
            spec = spec_of(fact.environment_id, fact.body)
            task_id = (await self._engine.submit([spec]))[0].task_id
            ended = await self._engine.result(task_id)
            if ended is None:
                later[fact.id] = NotYetError(LOOK_AGAIN)
                continue
            payload = spec.payload
            finish_unrun(self._logs.reopen(fact.environment_id, operation_of(payload)), ended)
            await self(
                fact.environment_id,
                RunId(task_id),
                connection_row_id=ConnectionRowId(payload["connection_row_id"]),
                action=payload["action"],
                operation_id=operation_of(payload),
                state=STATES.get(ended.state, "interrupted"),
                error=ended.error,
            )
        if later:
            raise FactsFailedError(later)
