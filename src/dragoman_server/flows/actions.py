"""Run an action for a connection: now and wait, or queue it and tell later."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

from dragoman_server import outbox
from dragoman_server.control import Connections, Functions, Integrations, Runs
from dragoman_server.control.model import Connection, FunctionVersion
from dragoman_server.control.tasks import ACTION_QUEUE, ActionPayload, as_payload
from dragoman_server.db import Database
from dragoman_server.flows.lookup import connection_or_refuse
from dragoman_server.kit.errors import ConflictError, DragomanError, NotFoundError, Reaction
from dragoman_server.kit.ids import EnvironmentId, OperationId, RunId
from dragoman_server.logs import Logs, Operation
from dragoman_server.orchestrator.model import GroupKey, RetryPolicy, TaskResult, TaskSpec
from dragoman_server.orchestrator.port import Engine
from dragoman_server.orchestrator.states import TaskState

START_BY = timedelta(seconds=30)
ASYNC_START_BY = timedelta(hours=24)
LOOK_AGAIN = timedelta(seconds=60)
SOON = timedelta(seconds=5)
"""How long the engine may take to hear of an end that is written down already: whoever got the webhook asks at once."""
DEEPEST = 5
"""Actions that call actions that call actions."""
FACT = "action"


class ActionFailedError(DragomanError):
    """The function (or the platform running it) ended an action without a result; the envelope says how."""

    code = "action_script_failure"
    default_status = 500
    reaction = Reaction.GIVE_UP

    def __init__(self, error: Mapping[str, Any]) -> None:
        super().__init__(
            str(error.get("message") or "The action failed."),
            status=int(error.get("status") or 500),
            public_code=str(error.get("code") or self.code),
            payload=error.get("payload"),
        )
        extra = {k: error[k] for k in ("upstream", "errors") if error.get(k) is not None}
        self.envelope_extra: dict[str, Any] = extra


class ActionPendingError(NotFoundError):
    def __init__(self) -> None:
        super().__init__("This action is still pending, or there is none with this id.")


class TooDeepError(ConflictError):
    def __init__(self) -> None:
        super().__init__(f"Actions call each other more than {DEEPEST} deep.")


@dataclass(frozen=True, slots=True)
class ActionCall:
    """One call as it was asked for; `key` makes its submission idempotent."""

    environment_id: EnvironmentId
    connection: Connection
    function: FunctionVersion
    input: bytes | None
    operation: Operation
    max_retries: int = 0
    reported: bool = False
    depth: int = 0
    key: str = field(default_factory=lambda: str(uuid.uuid4()))


class Actions:
    """The verbs of actions."""

    def __init__(
        self,
        *,
        database: Database,
        integrations: Integrations,
        connections: Connections,
        functions: Functions,
        runs: Runs,
        engine: Engine,
        logs: Logs,
        run_timeout: timedelta,
    ) -> None:
        self._database = database
        self._integrations = integrations
        self._connections = connections
        self._functions = functions
        self._runs = runs
        self._engine = engine
        self._logs = logs
        self._run_timeout = run_timeout

    async def trigger(
        self, environment_id: EnvironmentId, integration_key: str, connection_id: str, name: str, input_: bytes | None
    ) -> bytes | None:
        """Run it and return its output as JSON; raise `ActionFailedError` with what the function raised."""
        call = await self._prepare(environment_id, integration_key, connection_id, name, input_)
        return await self._wait(call)

    async def trigger_async(
        self,
        environment_id: EnvironmentId,
        integration_key: str,
        connection_id: str,
        name: str,
        input_: bytes | None,
        *,
        max_retries: int,
    ) -> UUID:
        """Queue it and return its id. Its end is told by webhook even if this process dies right after."""
        call = await self._prepare(
            environment_id, integration_key, connection_id, name, input_, max_retries=max_retries, reported=True
        )
        spec = self._spec(call)
        task_id = (await self._engine.submit([spec]))[0].task_id  # first: a full queue refuses it, and nothing is left
        async with self._database.transaction() as conn:
            now = await conn.now()
            await outbox.put(
                conn, [backstop(call.environment_id, task_id, call.key, spec, not_before=now + LOOK_AGAIN)]
            )
        return task_id

    async def result(self, environment_id: EnvironmentId, action_id: UUID) -> bytes | None:
        """The output of an async action; raise `ActionPendingError` (404) while there is none."""
        told = await self._runs.get(environment_id, RunId(action_id))  # written before the engine hears of the end
        found = await self._engine.wait(action_id, SOON) if told is not None and told.kind == "action" else None
        if found is None:
            raise ActionPendingError
        return output_of(found)

    async def trigger_for_function(
        self, environment_id: EnvironmentId, connection: Connection, name: str, input_: bytes | None, *, depth: int
    ) -> bytes | None:
        """What `ctx.trigger_action` does: the same connection, waits."""
        if depth >= DEEPEST:
            raise TooDeepError
        call = await self._prepare(
            environment_id, connection.integration_key, connection.connection_id, name, input_, depth=depth
        )
        return await self._wait(call)

    async def _prepare(
        self,
        environment_id: EnvironmentId,
        integration_key: str,
        connection_id: str,
        name: str,
        input_: bytes | None,
        *,
        max_retries: int = 0,
        reported: bool = False,
        depth: int = 0,
    ) -> ActionCall:
        connection = await connection_or_refuse(
            self._integrations, self._connections, environment_id, integration_key, connection_id
        )
        function = await self._functions.find(environment_id, integration_key, name, "action")
        if function is None or not function.enabled:
            raise NotFoundError(f"The integration `{integration_key}` has no enabled action `{name}`.")
        operation = self._logs.start(
            environment_id,
            "action:run",
            integration=integration_key,
            connection=connection_id,
            connection_row_id=connection.id,
            function=name,
            waiting=True,
        )
        return ActionCall(environment_id, connection, function, input_, operation, max_retries, reported, depth)

    def _spec(self, call: ActionCall) -> TaskSpec:
        asked = call.function.manifest.get("timeout_seconds")
        timeout = min(self._run_timeout, timedelta(seconds=asked)) if isinstance(asked, int) else self._run_timeout
        payload = ActionPayload(
            environment_id=call.environment_id,
            integration=call.connection.integration_key,
            connection_row_id=call.connection.id,
            action=call.function.name,
            operation_id=call.operation.id,
            input=None if call.input is None else call.input.decode(),
            reported=call.reported,
            max_attempts=call.max_retries + 1,
            depth=call.depth,
            idempotent=bool(call.function.manifest.get("idempotent")),
        )
        return TaskSpec(
            queue=ACTION_QUEUE,
            group=GroupKey(call.environment_id, str(call.connection.id)),
            payload=as_payload(payload),
            run_timeout=timeout,
            start_by=ASYNC_START_BY if call.reported else START_BY,
            retry=RetryPolicy(max_attempts=call.max_retries + 1, first=timedelta(seconds=1)),
            requeue_on_lost_lease=bool(call.function.manifest.get("idempotent")),
            idempotency_key=call.key,
            interactive=not call.reported,
        )

    async def _wait(self, call: ActionCall) -> bytes | None:
        spec = self._spec(call)
        try:
            _, ended = await self._engine.call(spec, spec.run_timeout + START_BY + timedelta(seconds=15))
        except DragomanError as error:
            call.operation.finish("failed", {"type": error.public_code, "message": error.message})
            raise
        if ended is None:
            raise ActionFailedError({"code": "execution_timeout", "message": "The action did not end in time."})
        if ended.state is not TaskState.SUCCEEDED:
            finish_unrun(call.operation, ended)
        return output_of(ended)


def finish_unrun(operation: Operation, ended: TaskResult) -> None:
    """Close the log of a task that no worker closed: it expired in the queue or its worker was lost."""
    if ended.state is TaskState.EXPIRED:
        operation.finish("timeout", {"type": "execution_timeout", "message": "No worker was free in time."})
    elif ended.attempt == 0:
        operation.finish("cancelled")


def output_of(ended: TaskResult) -> bytes | None:
    """The output, or the failure as `ActionFailedError`."""
    match ended.state:
        case TaskState.SUCCEEDED:
            return ended.output
        case TaskState.EXPIRED:
            raise ActionFailedError(
                {"code": "execution_timeout", "message": "No worker was free in time; try again.", "status": 500}
            )
        case TaskState.CANCELLED:
            raise ActionFailedError({"code": "script_aborted", "message": "The action was cancelled.", "status": 410})
        case _:
            raise ActionFailedError(ended.error or {})


def backstop(environment_id: EnvironmentId, task_id: UUID, key: str, spec: TaskSpec, *, not_before: Any) -> outbox.Fact:
    """The fact that submits and reports an async action should the process that took it die."""
    body = {
        "v": 1,
        "payload": dict(spec.payload),
        "connection": spec.group.connection,
        "run_timeout": spec.run_timeout.total_seconds(),
        "max_attempts": spec.retry.max_attempts,
        "idempotent": spec.requeue_on_lost_lease,
        "key": key,
    }
    return outbox.Fact(FACT, environment_id, str(task_id), body, not_before)


def spec_of(environment_id: EnvironmentId, body: Mapping[str, Any]) -> TaskSpec:
    """The task a backstop stands for; submitting it again answers the first submission."""
    return TaskSpec(
        queue=ACTION_QUEUE,
        group=GroupKey(environment_id, body["connection"]),
        payload=body["payload"],
        run_timeout=timedelta(seconds=body["run_timeout"]),
        start_by=ASYNC_START_BY,
        retry=RetryPolicy(max_attempts=body["max_attempts"], first=timedelta(seconds=1)),
        requeue_on_lost_lease=body["idempotent"],
        idempotency_key=body["key"],
    )


def operation_of(payload: Mapping[str, Any]) -> OperationId:
    return OperationId(UUID(payload["operation_id"]))
