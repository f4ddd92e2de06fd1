"""Run one action: load, run in the sandbox, tell how it ended."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol, assert_never
from uuid import UUID

from dragoman_server.control.model import RunState
from dragoman_server.control.tasks import ActionPayload, environment_of, read_action
from dragoman_server.db.outage import through_outage
from dragoman_server.jobs.loading import Loader, RunLimits, context_of
from dragoman_server.jobs.model import RunTarget
from dragoman_server.jobs.outcomes import error_of, interrupted_error, is_retryable, log_error
from dragoman_server.kit.errors import DragomanError
from dragoman_server.kit.ids import ConnectionRowId, EnvironmentId, OperationId, RunId
from dragoman_server.logs import Logs, Operation
from dragoman_server.orchestrator import model as engine
from dragoman_server.runners.port import Failed, GuestCalls, Interrupted, RunnerHost, RunSpec, Succeeded

MakeCalls = Callable[[RunTarget], GuestCalls]


class ReportAction(Protocol):
    """Writes the end of an async action: its run row and its webhook, in one transaction, once."""

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
    ) -> None: ...


class ActionRunner:
    """The handler of the action lanes."""

    def __init__(
        self,
        *,
        loader: Loader,
        host: RunnerHost,
        calls: MakeCalls,
        logs: Logs,
        limits: RunLimits,
        report: ReportAction,
        holds: Callable[[UUID, int], Awaitable[bool]],
    ) -> None:
        self._loader = loader
        self._host = host
        self._calls = calls
        self._logs = logs
        self._limits = limits
        self._report = report
        self._holds = holds

    async def __call__(self, task: engine.ClaimedTask) -> engine.Outcome:
        payload = read_action(task.payload)
        environment_id = environment_of(payload)
        operation = self._logs.reopen(environment_id, OperationId(payload.operation_id))
        operation.running()
        try:
            outcome = await self._run(task, payload, operation)
        except DragomanError as error:
            told = {"code": error.public_code, "message": error.message, "status": error.status}
            operation.finish("failed", {"type": error.public_code, "message": error.message})
            outcome = engine.Failed(told)
        except asyncio.CancelledError:
            operation.finish("cancelled")
            raise
        if payload.reported and not _will_retry(outcome, task, payload):
            state, error = _told(outcome)
            await through_outage(
                lambda: self._report(
                    environment_id,
                    RunId(task.id),
                    connection_row_id=ConnectionRowId(payload.connection_row_id),
                    action=payload.action,
                    operation_id=operation.id,
                    state=state,
                    error=error,
                )
            )
        return outcome

    async def _run(self, task: engine.ClaimedTask, payload: ActionPayload, operation: Operation) -> engine.Outcome:
        environment_id = environment_of(payload)
        prepared = await self._loader.load(
            environment_id,
            integration_key=payload.integration,
            connection_row_id=ConnectionRowId(payload.connection_row_id),
            name=payload.action,
            type_="action",
        )
        spec = RunSpec(
            run_id=RunId(task.id),
            attempt=task.attempt,
            kind="action",
            function=payload.action,
            bundle=prepared.bundle,
            context=context_of(prepared),
            input=payload.input.encode() if payload.input is not None else None,
            limits=self._limits.of(prepared.function),
        )
        target = RunTarget(
            prepared,
            task.id,
            operation,
            depth=payload.depth,
            still_held=lambda: self._holds(task.id, task.attempt),
            repeatable=payload.idempotent or payload.max_attempts > 1,
        )
        outcome = await self._host.run(spec, self._calls(target))
        match outcome:
            case Succeeded(output=output):
                operation.finish("success")
                return engine.Succeeded(output)
            case Failed(error=error):
                if error.traceback:
                    operation.error(error.traceback)
                operation.finish(
                    "timeout" if error.code == "function_runtime_timed_out" else "failed", log_error(error)
                )
                return engine.Failed(error_of(error), retryable=is_retryable(outcome))
            case Interrupted():
                told = interrupted_error(outcome)
                operation.finish("cancelled", {"type": told["code"], "message": told["message"]})
                return engine.Cancelled() if outcome.reason == "cancelled" else engine.Interrupted(outcome.reason)
            case _:
                assert_never(outcome)


def _will_retry(outcome: engine.Outcome, task: engine.ClaimedTask, payload: ActionPayload) -> bool:
    """Whether the engine may give it out again: then its end is told later, at the latest by the backstop."""
    if isinstance(outcome, engine.Interrupted):
        return payload.idempotent
    return isinstance(outcome, engine.Failed) and outcome.retryable and task.attempt < payload.max_attempts


def _told(outcome: engine.Outcome) -> tuple[RunState, Mapping[str, Any] | None]:
    match outcome:
        case engine.Succeeded():
            return "success", None
        case engine.Failed(error=error):
            return "failed", error
        case engine.Cancelled():
            return "cancelled", None
        case engine.Interrupted():
            return "interrupted", None
        case _:
            assert_never(outcome)
