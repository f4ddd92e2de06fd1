"""Give an end to sync runs whose process could not: killed for good, cancelled, or past what the engine waits for."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from dragoman_server import outbox
from dragoman_server.control import Connections, Runs, Syncs
from dragoman_server.control.model import Run, RunEnd, RunState, declared_models
from dragoman_server.db import Database
from dragoman_server.flows.notify import sync_facts
from dragoman_server.kit.ids import EnvironmentId, RunId, SyncId
from dragoman_server.logs import Logs
from dragoman_server.orchestrator.model import TaskResult
from dragoman_server.orchestrator.port import Engine
from dragoman_server.orchestrator.states import TaskState
from dragoman_server.outbox import FactsFailedError, NotYetError, StoredFact
from dragoman_server.records import Records

LOOK_AGAIN = timedelta(seconds=60)
STATES: Mapping[TaskState, RunState] = {TaskState.FAILED: "failed", TaskState.CANCELLED: "cancelled"}
"""Every other end of a task whose run is still open is an interruption: never a success."""
LOST = {"code": "script_aborted", "message": "The run was interrupted; how far it came is not known."}


class CloseRuns:
    """Handles `run` facts, which `jobs.run_sync` leaves when an attempt begins."""

    def __init__(
        self,
        *,
        database: Database,
        syncs: Syncs,
        connections: Connections,
        runs: Runs,
        records: Records,
        engine: Engine,
        logs: Logs,
    ) -> None:
        self._database = database
        self._syncs = syncs
        self._connections = connections
        self._runs = runs
        self._records = records
        self._engine = engine
        self._logs = logs

    async def handle(self, facts: Sequence[StoredFact]) -> None:
        """Close what the engine has given up; ask again later for what is under way."""
        later: dict[int, Exception] = {}
        for fact in facts:
            run = await self._runs.get(fact.environment_id, RunId(UUID(fact.body["run_id"])))
            if run is None or run.state != "running":
                continue
            ended = await self._engine.result(run.id)
            if ended is None:
                later[fact.id] = NotYetError(LOOK_AGAIN)
            else:
                await self._close(fact.environment_id, SyncId(UUID(fact.body["sync_id"])), run, ended)
        if later:
            raise FactsFailedError(later)

    async def _close(self, environment_id: EnvironmentId, sync_id: SyncId, run: Run, ended: TaskResult) -> None:
        state = STATES.get(ended.state, "interrupted")
        error: Mapping[str, Any] = LOST if state == "interrupted" else ended.error or LOST
        sync = await self._syncs.get(environment_id, sync_id)
        row_id = run.connection_row_id
        connection = None if row_id is None else await self._connections.by_row_id(environment_id, row_id)
        totals = (await self._records.run_totals(environment_id, [run.id]))[run.id]
        result = {m: {"added": t.added, "updated": t.updated, "deleted": t.deleted} for m, t in totals.items()}
        async with self._database.transaction() as conn:
            end = RunEnd(run.id, environment_id, run.attempt, state, result, error=error)
            if not await self._runs.finish(conn, end):
                return  # its own process came before us
            if state != "cancelled" and sync is not None and connection is not None:
                initial = await self._runs.last_success(environment_id, sync_id, conn=conn) is None
                facts = sync_facts(
                    connection=connection,
                    sync=sync,
                    run_id=run.id,
                    totals=totals,
                    models=declared_models(sync.function.manifest),
                    initial=initial,
                    started_at=run.started_at,
                    ended_at=await conn.now(),
                    checkpoint_from=run.checkpoint_from,
                    checkpoint_to=None,
                    error=error,
                )
                await outbox.put(conn, facts)
        if run.operation_id is not None:
            operation = self._logs.reopen(environment_id, run.operation_id)
            told = "failed" if state == "failed" else "cancelled"
            operation.finish(told, {"type": str(error.get("code")), "message": str(error.get("message"))})
