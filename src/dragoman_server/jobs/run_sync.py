"""Run one attempt of a sync: fence, run in the sandbox, and commit how it ended together with what must follow."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Protocol, assert_never

import msgspec

from dragoman_server import outbox
from dragoman_server.control import Connections, Runs, Syncs
from dragoman_server.control.model import Connection, Run, RunEnd, RunStart, RunState, Sync, declared_models
from dragoman_server.control.syncs import is_scheduled
from dragoman_server.control.tasks import environment_of, read_sync
from dragoman_server.db import Conn, Database
from dragoman_server.db.driver import UNAVAILABLE
from dragoman_server.db.outage import through_outage
from dragoman_server.jobs.loading import FunctionDisabledError, FunctionGoneError, Loader, RunLimits, context_of
from dragoman_server.jobs.model import Prepared, RunTarget
from dragoman_server.jobs.outcomes import error_of, interrupted_error, log_error
from dragoman_server.kit.errors import DragomanError, UnavailableError
from dragoman_server.kit.ids import EnvironmentId, OperationId, RunId, SyncId
from dragoman_server.kit.telemetry import get_logger
from dragoman_server.logs import Logs, Operation
from dragoman_server.logs.operation import new_operation_id
from dragoman_server.orchestrator import model as engine
from dragoman_server.records import Fence, Records, StaleAttemptError
from dragoman_server.records.model import Progress, Totals
from dragoman_server.runners.port import Failed, GuestCalls, Interrupted, RunnerHost, RunOutcome, RunSpec, Succeeded

CLOSE_FACT = "run"
CLOSE_AFTER = timedelta(seconds=60)
"""When somebody looks whether a run that began has an end: its process may be gone (`flows.close_runs`)."""
CONCLUDE_SECONDS = 300.0

log = get_logger("jobs")


class SyncFacts(Protocol):
    """Builds the outbox facts that tell the customer how a run ended: one a model."""

    def __call__(
        self,
        *,
        connection: Connection,
        sync: Sync,
        run_id: RunId,
        totals: Mapping[str, Totals],
        models: Sequence[str],
        initial: bool,
        started_at: datetime,
        ended_at: datetime,
        checkpoint_from: Any,
        checkpoint_to: Any,
        error: Mapping[str, Any] | None,
    ) -> Sequence[outbox.Fact]: ...


class SyncRunner:
    """The handler of the sync lane."""

    def __init__(
        self,
        *,
        database: Database,
        syncs: Syncs,
        runs: Runs,
        connections: Connections,
        loader: Loader,
        host: RunnerHost,
        calls: Callable[[RunTarget], GuestCalls],
        records: Records,
        logs: Logs,
        limits: RunLimits,
        facts: SyncFacts,
    ) -> None:
        self._database = database
        self._syncs = syncs
        self._runs = runs
        self._connections = connections
        self._loader = loader
        self._host = host
        self._calls = calls
        self._records = records
        self._logs = logs
        self._limits = limits
        self._facts = facts

    async def __call__(self, task: engine.ClaimedTask) -> engine.Outcome:
        payload = read_sync(task.payload)
        environment_id = environment_of(payload)
        sync = await through_outage(lambda: self._syncs.get(environment_id, SyncId(payload.sync_id)))
        earlier = await through_outage(lambda: self._runs.get(environment_id, RunId(task.id)))
        unwanted = sync is None or (payload.cause == "schedule" and earlier is None and not is_scheduled(sync))
        if sync is None or unwanted:
            # Deleted or paused after the task was queued, or the schedule is out of step: a late hand may have put it
            # there. Whoever keeps schedules looks once more, so that it does not come back for ever.
            await through_outage(lambda: self._ask_to_bring_in_step(environment_id, SyncId(payload.sync_id)))
            return engine.Cancelled()
        if earlier is not None and earlier.state != "running":
            return _told_already(earlier)  # committed by an attempt that could not tell the engine anymore
        operation = self._operation(environment_id, sync, task, earlier)
        try:
            return await self._attempt(task, sync, operation)
        except (FunctionGoneError, FunctionDisabledError) as error:
            operation.finish("cancelled", {"type": error.public_code, "message": error.message})
            return engine.Cancelled()
        except StaleAttemptError:
            # Reset, or taken over: a newer attempt's row and log are its own, so only what is still ours is closed.
            known = {task.attempt} if earlier is None else {task.attempt, earlier.attempt}
            if any([await self._close_row(environment_id, RunId(task.id), attempt) for attempt in known]):
                operation.finish("cancelled")
            return engine.Cancelled()
        except (*UNAVAILABLE, UnavailableError) as error:
            operation.warn("The database was away; the run goes back to the queue.", error=type(error).__name__)
            return engine.Interrupted("database_unavailable")
        except asyncio.CancelledError:
            operation.warn("The attempt was stopped.")
            raise
        except Exception as error:  # the platform failed: the run ends as failed, it does not stay under way for ever
            told = _platform_failure(error)
            await self._close_row(environment_id, RunId(task.id), task.attempt, "failed", told)
            operation.finish("failed", {"type": told["code"], "message": told["message"]})
            log.warning("sync_run_failed", run_id=str(task.id), error=type(error).__name__, exc_info=error)
            return engine.Failed(told)

    async def _ask_to_bring_in_step(self, environment_id: EnvironmentId, sync_id: SyncId) -> None:
        fact = outbox.Fact("schedule", environment_id, str(sync_id), {"v": 1, "sync_id": str(sync_id)})
        async with self._database.transaction() as conn:
            await outbox.put(conn, [fact])

    async def cancelled(self, task: engine.ClaimedTask) -> None:
        """The engine has the task as cancelled: close what is written about it."""
        payload = read_sync(task.payload)
        environment_id = environment_of(payload)
        run = await self._runs.get(environment_id, RunId(task.id))
        if run is None or not await self._close_row(environment_id, run.id, task.attempt):
            return
        if run.operation_id is not None:
            self._logs.reopen(environment_id, run.operation_id).finish("cancelled")

    async def _close_row(
        self,
        environment_id: EnvironmentId,
        run_id: RunId,
        attempt: int,
        state: RunState = "cancelled",
        error: Mapping[str, Any] | None = None,
    ) -> bool:
        return await self._runs.finish(None, RunEnd(run_id, environment_id, attempt, state, error=error))

    def _operation(
        self, environment_id: EnvironmentId, sync: Sync, task: engine.ClaimedTask, earlier: Run | None
    ) -> Operation:
        if earlier is not None and earlier.operation_id is not None:
            operation = self._logs.reopen(environment_id, earlier.operation_id)
            operation.warn(f"Attempt {task.attempt}: the one before was lost.", attempt=task.attempt)
            return operation
        return self._logs.start(
            environment_id,
            "sync:run",
            integration=sync.integration_key,
            connection=sync.connection_id,
            connection_row_id=sync.connection_row_id,
            sync=sync.function_name if sync.variant == "base" else f"{sync.function_name}::{sync.variant}",
            operation_id=OperationId(new_operation_id(task.created_at)),
            meta={"run_id": str(task.id), "attempt": task.attempt},
        )

    async def _attempt(self, task: engine.ClaimedTask, sync: Sync, operation: Operation) -> engine.Outcome:
        environment_id = sync.environment_id
        run_id = RunId(task.id)
        prepared = await self._loader.load(
            environment_id,
            integration_key=sync.integration_key,
            connection_row_id=sync.connection_row_id,
            name=sync.function_name,
            type_="sync",
        )
        progress, run = await through_outage(lambda: self._begin(task, sync, operation))
        fence = Fence(sync.id, run_id, task.attempt)
        spec = RunSpec(
            run_id=run_id,
            attempt=task.attempt,
            kind="sync",
            function=sync.function_name,
            bundle=prepared.bundle,
            context=context_of(prepared, variant=sync.variant),
            checkpoint=progress.checkpoint,
            limits=self._limits.of(prepared.function),
        )
        target = RunTarget(prepared, task.id, operation, sync.variant, fence)
        operation.info("Started.", attempt=task.attempt, deployment=prepared.function.deployment_id[:12])
        outcome = await self._host.run(spec, self._calls(target))
        if isinstance(outcome, Interrupted) and outcome.reason != "cancelled":
            operation.warn(f"Interrupted ({outcome.reason}); it will be run again.")
            return engine.Interrupted(outcome.reason)
        return await through_outage(
            lambda: self._conclude(prepared, sync, run, outcome, operation, task.attempt), patience=CONCLUDE_SECONDS
        )

    async def _begin(self, task: engine.ClaimedTask, sync: Sync, operation: Operation) -> tuple[Progress, Run]:
        """Fence off older attempts and note that this one runs; a repeat after a lost answer finds its own effect."""
        environment_id, run_id = sync.environment_id, RunId(task.id)
        async with self._database.transaction() as conn:
            progress = await self._records.begin_attempt(environment_id, sync.id, run_id, task.attempt, conn=conn)
            start = RunStart(
                run_id,
                environment_id,
                sync.function_name,
                "sync",
                task.attempt,
                sync.id,
                sync.connection_row_id,
                _decoded(progress.checkpoint),
                operation.id,
            )
            begun = await self._runs.start(conn, start)
            run = await self._runs.get(environment_id, run_id, conn=conn)
            if run is None or not (begun or (run.attempt, run.state) == (task.attempt, "running")):
                raise StaleAttemptError
            later = await conn.now() + CLOSE_AFTER
            body = {"v": 1, "run_id": str(run_id), "sync_id": str(sync.id)}
            await outbox.put(conn, [outbox.Fact(CLOSE_FACT, environment_id, str(run_id), body, later)])
        return progress, run

    async def _conclude(
        self, prepared: Prepared, sync: Sync, run: Run, outcome: RunOutcome, operation: Operation, attempt: int
    ) -> engine.Outcome:
        """Commit the end of the run and what follows from it; only then is it told to anybody."""
        environment_id = sync.environment_id
        state, error, told = _judged(outcome)
        totals = (await self._records.run_totals(environment_id, [run.id]))[run.id]
        async with self._database.transaction() as conn:
            await self._records.ensure_current(environment_id, Fence(sync.id, run.id, attempt), conn=conn)
            progress = await self._records.checkpoint(environment_id, sync.id, conn=conn)
            ended_at = await conn.now()
            initial = await self._runs.last_success(environment_id, sync.id, conn=conn) is None
            result = {m: {"added": t.added, "updated": t.updated, "deleted": t.deleted} for m, t in totals.items()}
            checkpoint = _decoded(progress.checkpoint)
            end = RunEnd(run.id, environment_id, attempt, state, result, checkpoint, error)
            if not await self._runs.finish(conn, end):
                known = await self._runs.get(environment_id, run.id, conn=conn)
                if known is None or (known.attempt, known.state) != (attempt, state):
                    raise StaleAttemptError
                return told  # committed before; only the answer was lost
            await self._note_errors(conn, sync, operation, failed=state == "failed")
            if state != "cancelled":
                facts = self._facts(
                    connection=prepared.connection,
                    sync=sync,
                    run_id=run.id,
                    totals=totals,
                    models=declared_models(prepared.function.manifest),
                    initial=initial,
                    started_at=run.started_at,
                    ended_at=ended_at,
                    checkpoint_from=run.checkpoint_from,
                    checkpoint_to=checkpoint,
                    error=error,
                )
                await outbox.put(conn, facts)
        _close(operation, outcome, totals)
        return told

    async def _note_errors(self, conn: Conn, sync: Sync, operation: Operation, *, failed: bool) -> None:
        where = (sync.environment_id, sync.connection_row_id, "sync")
        if failed:
            await self._connections.add_error(*where, str(operation.id), subject=str(sync.id), conn=conn)
        else:
            await self._connections.clear_errors(*where, subject=str(sync.id), conn=conn)


def _platform_failure(error: Exception) -> dict[str, Any]:
    """What is told of a run that never came to its own end: our own errors as they say, others without detail."""
    if isinstance(error, DragomanError):
        return {"code": error.public_code, "message": error.message, "status": error.status}
    return {"code": "script_internal_error", "message": "The platform failed.", "status": 500}


def _judged(outcome: RunOutcome) -> tuple[RunState, dict[str, Any] | None, engine.Outcome]:
    match outcome:
        case Succeeded():
            return "success", None, engine.Succeeded()
        case Failed(error=error):
            told = error_of(error)
            return "failed", told, engine.Failed(told)
        case Interrupted():
            return "cancelled", interrupted_error(outcome), engine.Cancelled()
        case _:
            assert_never(outcome)


def _close(operation: Operation, outcome: RunOutcome, totals: Mapping[str, Totals]) -> None:
    for model, t in totals.items():
        operation.info(f"{model}: {t.added} added, {t.updated} updated, {t.deleted} deleted", model=model)
    match outcome:
        case Succeeded():
            operation.finish("success")
        case Failed(error=error):
            if error.traceback:
                operation.error(error.traceback)
            operation.finish("timeout" if error.code == "function_runtime_timed_out" else "failed", log_error(error))
        case Interrupted():
            operation.finish("cancelled")
        case _:
            assert_never(outcome)


def _told_already(run: Run) -> engine.Outcome:
    match run.state:
        case "success":
            return engine.Succeeded()
        case "failed":
            return engine.Failed(run.error or {"code": "script_internal_error", "message": "failed"})
        case _:
            return engine.Cancelled()


def _decoded(checkpoint: bytes | None) -> Any:
    return None if checkpoint is None else msgspec.json.decode(checkpoint)
