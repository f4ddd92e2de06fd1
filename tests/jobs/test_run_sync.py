"""However an attempt of a sync ends, its run does not stay under way and is never told as success."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pytest

from dragoman_server import outbox
from dragoman_server.control.model import FunctionSpec, Run, Sync
from dragoman_server.control.tasks import SYNC_QUEUE, SyncPayload, as_payload
from dragoman_server.db import Database, Invalidations
from dragoman_server.flows.notify import sync_facts
from dragoman_server.jobs.loading import Loader, RunLimits
from dragoman_server.jobs.model import RunTarget
from dragoman_server.jobs.run_sync import SyncRunner
from dragoman_server.kit.ids import DeploymentId, RunId, uuid7
from dragoman_server.logs import Logs, State
from dragoman_server.orchestrator import model as engine
from dragoman_server.providers import load_catalogue
from dragoman_server.records import Records
from dragoman_server.runners.host.nothing import NoCalls
from dragoman_server.runners.port import RunnerHost, RunOutcome, RunSpec, Succeeded, Usage
from dragoman_server.scripts import Scripts
from tests.control.conftest import Control, make_control

Ending = Callable[[RunSpec], Awaitable[RunOutcome]]


async def well(_spec: RunSpec) -> RunOutcome:
    return Succeeded(None, Usage(1.0))


@dataclass
class Bundles:
    """Script storage that is there, or not."""

    error: Exception | None = None

    async def fetch_unpacked(self, *_: object) -> Path:
        if self.error is not None:
            raise self.error
        return Path("/nowhere")


@dataclass
class Host:
    """A runner host whose runs end as told."""

    ending: Ending = well
    calls: Any = field(default_factory=NoCalls)

    async def run(self, spec: RunSpec, _calls: object) -> RunOutcome:
        return await self.ending(spec)


@dataclass
class Stage:
    control: Control
    records: Records
    logs: Logs
    host: Host
    bundles: Bundles
    sync: Sync
    runner: SyncRunner

    def task(self, attempt: int = 1, id_: Any = None) -> engine.ClaimedTask:
        payload = SyncPayload(environment_id=self.control.environment.id, sync_id=self.sync.id)
        return engine.ClaimedTask(
            id=id_ or uuid7(),
            attempt=attempt,
            queue=SYNC_QUEUE,
            group=engine.GroupKey(self.control.environment.id, "1"),
            payload=as_payload(payload),
            schedule_key=None,
            deadline=datetime.now(UTC) + timedelta(hours=1),
            created_at=datetime.now(UTC),
            ready_at=datetime.now(UTC),
            run_timeout=timedelta(hours=1),
        )

    async def run_of(self, task: engine.ClaimedTask) -> Run | None:
        return await self.control.runs.get(self.control.environment.id, RunId(task.id))

    async def states(self) -> list[State]:
        await self.logs.flush()
        page = await self.logs.search_operations(self.control.environment.id)
        return [view.state for view in page.items]


@pytest.fixture
async def stage(database: Database, database_url: str) -> Stage:
    control = await make_control(database, Invalidations(database_url))
    integration = await control.integration()
    await control.connect(integration)
    async with database.transaction() as conn:
        manifest: dict[str, Any] = {"models": {"Issue": {}}, "interval_seconds": 300}
        specs = [FunctionSpec("github", "issues", "sync", manifest)]
        await control.functions.replace_deployment(conn, control.environment.id, DeploymentId("v1"), specs)
        [sync] = await control.syncs.create_missing(conn, control.environment.id)
    records, logs = Records(database=database, vault=control.vault), Logs(database=database)
    host, bundles = Host(), Bundles()
    loader = Loader(
        environments=control.environments,
        integrations=control.integrations,
        connections=control.connections,
        functions=control.functions,
        catalogue=load_catalogue(None),
        scripts=cast("Scripts", bundles),
    )

    def calls(_target: RunTarget) -> Any:
        return host.calls

    runner = SyncRunner(
        database=database,
        syncs=control.syncs,
        runs=control.runs,
        connections=control.connections,
        loader=loader,
        host=cast("RunnerHost", host),
        calls=calls,
        records=records,
        logs=logs,
        limits=RunLimits(2**20, timedelta(hours=1), timedelta(minutes=1)),
        facts=sync_facts,
    )
    return Stage(control, records, logs, host, bundles, sync, runner)


async def test_a_platform_failure_ends_the_run_as_failed(stage: Stage) -> None:
    async def broken(_spec: RunSpec) -> RunOutcome:
        raise RuntimeError("a bug")

    stage.host.ending = broken
    task = stage.task()

    outcome = await stage.runner(task)

    run = await stage.run_of(task)
    assert isinstance(outcome, engine.Failed)
    assert run is not None
    assert (run.state, (run.error or {})["code"]) == ("failed", "script_internal_error")
    assert "a bug" not in str(run.error)
    assert await stage.states() == [State.FAILED]


async def test_a_bundle_that_cannot_be_had_ends_the_operation(stage: Stage) -> None:
    stage.bundles.error = ValueError("no such blob")

    outcome = await stage.runner(stage.task())

    assert isinstance(outcome, engine.Failed)
    assert await stage.states() == [State.FAILED]


async def test_a_database_that_goes_away_at_the_end_sends_the_run_back_to_the_queue(stage: Stage) -> None:
    async def lost(_spec: RunSpec) -> RunOutcome:
        raise ConnectionResetError

    stage.host.ending = lost
    task = stage.task()

    assert isinstance(await stage.runner(task), engine.Interrupted)

    stage.host.ending = well
    again = stage.task(2, task.id)
    assert isinstance(await stage.runner(again), engine.Succeeded)
    run = await stage.run_of(again)
    assert run is not None
    assert (run.state, run.attempt) == ("success", 2)


async def test_a_run_that_is_reset_while_it_works_ends_as_cancelled(stage: Stage) -> None:
    async def reset(_spec: RunSpec) -> RunOutcome:
        await stage.records.reset_progress(stage.control.environment.id, stage.sync.id)
        return Succeeded(None, Usage(1.0))

    stage.host.ending = reset
    task = stage.task()

    assert isinstance(await stage.runner(task), engine.Cancelled)

    run = await stage.run_of(task)
    assert run is not None
    assert run.state == "cancelled"
    assert await stage.states() == [State.CANCELLED]


async def test_a_run_requeued_before_a_reset_ends_as_cancelled(stage: Stage) -> None:
    async def lost(_spec: RunSpec) -> RunOutcome:
        raise ConnectionResetError

    stage.host.ending = lost
    task = stage.task()
    await stage.runner(task)
    await stage.records.reset_progress(stage.control.environment.id, stage.sync.id)

    assert isinstance(await stage.runner(stage.task(2, task.id)), engine.Cancelled)

    run = await stage.run_of(task)
    assert run is not None
    assert run.state == "cancelled"


async def test_a_cancelled_run_is_closed_once_the_engine_has_it(stage: Stage) -> None:
    started = asyncio.Event()

    async def endless(_spec: RunSpec) -> RunOutcome:
        started.set()
        await asyncio.Event().wait()
        raise AssertionError

    stage.host.ending = endless
    task = stage.task()
    running = asyncio.create_task(stage.runner(task))
    await started.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    run = await stage.run_of(task)
    assert run is not None
    assert run.state == "running"  # perhaps only the worker stops: then another attempt goes on

    await stage.runner.cancelled(task)

    run = await stage.run_of(task)
    assert run is not None
    assert run.state == "cancelled"
    assert await stage.states() == [State.CANCELLED]


async def test_a_late_word_of_a_cancelled_attempt_leaves_a_newer_one_alone(stage: Stage) -> None:
    task = stage.task(2)
    assert isinstance(await stage.runner(task), engine.Succeeded)

    await stage.runner.cancelled(stage.task(1, task.id))

    run = await stage.run_of(task)
    assert run is not None
    assert run.state == "success"


async def schedule_facts(stage: Stage) -> int:
    async with stage.control.database.connection() as conn:
        return (await outbox.backlog(conn)).get("schedule", (0, 0))[0]


async def test_a_schedule_that_outlived_its_sync_is_looked_at_again(stage: Stage) -> None:
    async with stage.control.database.transaction() as conn:
        await stage.control.connections.delete(conn, stage.control.environment.id, "github", "c1")
    before = await schedule_facts(stage)

    assert isinstance(await stage.runner(stage.task()), engine.Cancelled)

    assert await schedule_facts(stage) == before + 1


async def test_a_paused_sync_is_not_run_by_a_schedule_out_of_step(stage: Stage) -> None:
    await stage.control.syncs.set_paused(stage.control.environment.id, [stage.sync.id], paused=True)
    task = stage.task()

    assert isinstance(await stage.runner(task), engine.Cancelled)

    assert await stage.run_of(task) is None
    assert await schedule_facts(stage) == 1


async def test_a_run_in_progress_goes_on_after_a_pause(stage: Stage) -> None:
    async def lost(_spec: RunSpec) -> RunOutcome:
        raise ConnectionResetError

    stage.host.ending = lost
    task = stage.task()
    await stage.runner(task)
    await stage.control.syncs.set_paused(stage.control.environment.id, [stage.sync.id], paused=True)
    stage.host.ending = well

    assert isinstance(await stage.runner(stage.task(2, task.id)), engine.Succeeded)
