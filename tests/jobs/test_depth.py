"""Actions that call actions that call themselves come to an end, whatever processes they run in."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pytest

from dragoman_server.control.model import FunctionSpec
from dragoman_server.control.tasks import ACTION_QUEUE
from dragoman_server.db import Database, Invalidations
from dragoman_server.flows.actions import DEEPEST, Actions, TooDeepError
from dragoman_server.jobs.loading import Loader, RunLimits
from dragoman_server.jobs.model import RunTarget
from dragoman_server.jobs.run_action import ActionRunner
from dragoman_server.kit.ids import DeploymentId, uuid7
from dragoman_server.logs import Logs
from dragoman_server.orchestrator.model import ClaimedTask, GroupKey, SubmitOutcome, TaskResult, TaskSpec
from dragoman_server.orchestrator.port import Engine
from dragoman_server.orchestrator.states import TaskState
from dragoman_server.providers import load_catalogue
from dragoman_server.runners.host.nothing import NoCalls
from dragoman_server.runners.port import RunnerHost, RunOutcome, RunSpec, Succeeded, Usage
from dragoman_server.scripts import Scripts
from tests.control.conftest import make_control


class Bundles:
    async def fetch_unpacked(self, *_: object) -> Path:
        return Path("/nowhere")


class Immediately:
    """An engine that runs a task as soon as somebody waits for it."""

    runner: ActionRunner

    def __init__(self) -> None:
        self.tasks: dict[Any, TaskSpec] = {}

    async def submit(self, specs: list[TaskSpec]) -> list[SubmitOutcome]:
        made = [(uuid7(), spec) for spec in specs]
        self.tasks |= dict(made)
        return [SubmitOutcome(id_, True) for id_, _ in made]

    async def call(self, spec: TaskSpec, timeout: timedelta) -> tuple[Any, TaskResult]:
        task_id = (await self.submit([spec]))[0].task_id
        return task_id, await self.wait(task_id, timeout)

    async def wait(self, task_id: Any, _timeout: timedelta) -> TaskResult:
        spec, now = self.tasks[task_id], datetime.now(UTC)
        await self.runner(
            ClaimedTask(
                id=task_id,
                attempt=1,
                queue=ACTION_QUEUE,
                group=GroupKey(1, "1"),
                payload=spec.payload,
                schedule_key=None,
                deadline=now + timedelta(hours=1),
                created_at=now,
                ready_at=now,
                run_timeout=timedelta(hours=1),
            )
        )
        return TaskResult(task_id, TaskState.SUCCEEDED, 1, b"1", None, now)


async def test_an_action_that_calls_itself_is_stopped(database: Database, database_url: str) -> None:
    control = await make_control(database, Invalidations(database_url))
    await control.connect(await control.integration())
    environment_id = control.environment.id
    async with database.transaction() as conn:
        specs = [FunctionSpec("github", "again", "action", {})]
        await control.functions.replace_deployment(conn, environment_id, DeploymentId("v1"), specs)
    logs, engine, depths = Logs(database=database), Immediately(), list[int]()
    actions = Actions(
        database=database,
        integrations=control.integrations,
        connections=control.connections,
        functions=control.functions,
        runs=control.runs,
        engine=cast("Engine", engine),
        logs=logs,
        run_timeout=timedelta(minutes=1),
    )
    targets: list[RunTarget] = []

    def calls(target: RunTarget) -> Any:
        targets.append(target)
        return NoCalls()

    class Host:
        async def run(self, _spec: RunSpec, _calls: object) -> RunOutcome:
            target = targets[-1]
            depths.append(target.depth)
            prepared = target.prepared
            await actions.trigger_for_function(  # as assembly connects the gate
                prepared.environment_id, prepared.connection, "again", None, depth=target.depth + 1
            )
            return Succeeded(None, Usage(1.0))

    async def report(*_: object, **__: object) -> None: ...

    async def holds(*_: object) -> bool:
        return True

    engine.runner = ActionRunner(
        loader=Loader(
            environments=control.environments,
            integrations=control.integrations,
            connections=control.connections,
            functions=control.functions,
            catalogue=load_catalogue(None),
            scripts=cast("Scripts", Bundles()),
        ),
        host=cast("RunnerHost", Host()),
        calls=calls,
        logs=logs,
        limits=RunLimits(2**20, timedelta(hours=1), timedelta(minutes=1)),
        report=report,
        holds=holds,
    )

    await actions.trigger(environment_id, "github", "c1", "again", None)

    assert depths == list(range(DEEPEST))
    with pytest.raises(TooDeepError):
        connection = await control.connections.get(environment_id, "github", "c1")
        assert connection is not None
        await actions.trigger_for_function(environment_id, connection, "again", None, depth=DEEPEST)
