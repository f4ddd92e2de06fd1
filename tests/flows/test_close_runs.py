"""A sync run whose process could not end it is ended for it, once, and never as a success."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, cast
from uuid import UUID

import pytest

from dragoman_server.control.model import Connection, FunctionSpec, RunEnd, RunStart, Sync
from dragoman_server.db import Database, Invalidations
from dragoman_server.flows.close_runs import CloseRuns
from dragoman_server.kit.ids import DeploymentId, OperationId, RunId, uuid7
from dragoman_server.logs import Logs
from dragoman_server.logs.operation import new_operation_id
from dragoman_server.orchestrator.model import TaskResult
from dragoman_server.orchestrator.port import Engine
from dragoman_server.orchestrator.states import TaskState
from dragoman_server.outbox import Fact, FactsFailedError, NotYetError, Relay, StoredFact, put
from dragoman_server.records import Records
from tests.control.conftest import Control, make_control


class Ends:
    """The engine's word on how tasks ended; None while one is under way."""

    def __init__(self) -> None:
        self.state: TaskState | None = None
        self.asked = 0

    async def result(self, task_id: UUID) -> TaskResult | None:
        self.asked += 1
        if self.state is None:
            return None
        return TaskResult(task_id, self.state, 1, None, {"code": "run_timeout", "message": "slow"}, datetime.now(UTC))


class Stage:
    def __init__(self, database: Database, control: Control, sync: Sync, connection: Connection) -> None:
        self.database, self.control, self.sync, self.connection = database, control, sync, connection
        self.ends = Ends()
        self.told: list[dict[str, Any]] = []
        self.close = CloseRuns(
            database=database,
            syncs=control.syncs,
            connections=control.connections,
            runs=control.runs,
            records=Records(database=database, vault=control.vault),
            engine=cast("Engine", self.ends),
            logs=Logs(database=database),
        )
        self.relay = Relay(database=database, handlers={"run": self.close.handle, "webhook": self._hear})

    async def _hear(self, facts: Sequence[StoredFact]) -> None:
        self.told += [dict(fact.body["payload"]) for fact in facts]

    async def start(self) -> RunId:
        """A run that began, with the fact that its attempt leaves behind, due at once."""
        id_, environment_id = RunId(uuid7()), self.control.environment.id
        operation = OperationId(new_operation_id(datetime.now(UTC)))
        row_id = self.connection.id
        start = RunStart(id_, environment_id, "issues", "sync", 1, self.sync.id, row_id, None, operation)
        async with self.database.transaction() as conn:
            await self.control.runs.start(conn, start)
            body = {"v": 1, "run_id": str(id_), "sync_id": str(self.sync.id)}
            await put(conn, [Fact("run", environment_id, str(id_), body)])
        return id_

    async def turn(self) -> None:
        await self.relay.once()
        await self.relay.once()

    async def state(self, id_: RunId) -> str:
        run = await self.control.runs.get(self.control.environment.id, id_)
        assert run is not None
        return run.state


@pytest.fixture
async def stage(database: Database, database_url: str) -> Stage:
    control = await make_control(database, Invalidations(database_url))
    connection = await control.connect(await control.integration())
    async with database.transaction() as conn:
        specs = [FunctionSpec("github", "issues", "sync", {"models": {"Issue": {}}})]
        await control.functions.replace_deployment(conn, control.environment.id, DeploymentId("v1"), specs)
        [sync] = await control.syncs.create_missing(conn, control.environment.id)
    return Stage(database, control, sync, connection)


@pytest.mark.parametrize(
    ("ended", "state", "tells"),
    [
        (TaskState.INTERRUPTED, "interrupted", 1),
        (TaskState.FAILED, "failed", 1),
        (TaskState.EXPIRED, "interrupted", 1),
        (TaskState.SUCCEEDED, "interrupted", 1),
        (TaskState.CANCELLED, "cancelled", 0),
    ],
)
async def test_a_run_left_open_is_ended_as_the_engine_says_but_never_as_success(
    stage: Stage, ended: TaskState, state: str, tells: int
) -> None:
    id_ = await stage.start()
    stage.ends.state = ended

    await stage.turn()
    await stage.turn()

    assert await stage.state(id_) == state
    assert [event["success"] for event in stage.told] == [False] * tells


async def test_a_run_under_way_is_left_alone_and_looked_at_a_minute_later(stage: Stage) -> None:
    id_ = await stage.start()

    await stage.turn()
    await stage.turn()

    assert await stage.state(id_) == "running"
    assert stage.ends.asked == 1


async def test_a_run_that_ended_by_itself_is_told_once(stage: Stage) -> None:
    id_ = await stage.start()
    await stage.control.runs.finish(None, RunEnd(id_, stage.control.environment.id, 1, "success"))
    stage.ends.state = TaskState.SUCCEEDED

    await stage.turn()

    assert (await stage.state(id_), stage.told, stage.ends.asked) == ("success", [], 0)


async def test_the_handler_says_of_each_fact_whether_it_must_come_back(stage: Stage) -> None:
    fact = StoredFact(
        7,
        "run",
        stage.control.environment.id,
        "k",
        {"v": 1, "run_id": str(await stage.start()), "sync_id": str(uuid7())},
        1,
        1,
        1,
    )

    with pytest.raises(FactsFailedError) as later:
        await stage.close.handle([fact])

    assert [type(e) for e in later.value.failures.values()] == [NotYetError]
    assert cast("NotYetError", later.value.failures[7]).wait == timedelta(seconds=60)
