"""The engine against a simple model of it, under any order of calls, time passing and workers dying."""

# an outage is one turn of the reaper alone:
# pyright: reportPrivateUsage=false

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, ClassVar, TypeVar
from uuid import UUID

import pytest
from hypothesis import HealthCheck, note, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from dragoman_server.db import Database
from dragoman_server.db.driver import RawConnection, connect
from dragoman_server.orchestrator.model import ClaimedTask, Failed, Finish, RetryPolicy, Succeeded
from dragoman_server.orchestrator.pg import PgEngine
from dragoman_server.orchestrator.states import MOVES, TaskState, is_final
from tests.conftest import MoveClock
from tests.orchestrator.conformance import task

WORKERS = ("w1", "w2")
T = TypeVar("T")
LOOK = (
    "SELECT id, state, attempt FROM orchestrator.tasks UNION ALL SELECT id, state, attempt FROM orchestrator.task_log"
)
EMPTY = "TRUNCATE orchestrator.tasks, orchestrator.task_log, orchestrator.workers, orchestrator.turns, orchestrator.submissions"


@dataclass
class Bed:
    """What a synchronous machine needs to drive an asynchronous engine."""

    loop: asyncio.AbstractEventLoop
    database: Database
    raw: RawConnection
    url: str
    clock: MoveClock

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.loop.run_until_complete(work)

    def engine(self) -> PgEngine:
        self.run(self.raw.execute(EMPTY))
        return PgEngine(database=self.database, listen_url=self.url)

    async def move(self, by: timedelta) -> None:
        await self.clock(self.url, by)

    async def look(self) -> dict[UUID, tuple[str, int]]:
        rows = await self.raw.fetch(LOOK)
        assert len({row["id"] for row in rows}) == len(rows), "a task is both open and over"
        return {row["id"]: (row["state"], row["attempt"]) for row in rows}


class EngineMachine(RuleBasedStateMachine):
    """The model: each task's state as the answers imply it, and the attempt each worker believes it runs."""

    bed: ClassVar[Bed]

    @initialize()
    def begin(self) -> None:
        self.run = self.bed.run
        self.engine = self.bed.engine()
        self.known: dict[UUID, tuple[TaskState, int]] = {}
        self.held: dict[str, list[ClaimedTask]] = {w: [] for w in WORKERS}
        self.dead: set[str] = set()

    @rule(
        connection=st.sampled_from("ab"),
        environment=st.integers(1, 2),
        lock=st.none() | st.sampled_from("kl"),
        requeue=st.booleans(),
        attempts=st.integers(1, 2),
        delay=st.sampled_from([None, timedelta(seconds=5)]),
    )
    def submit(
        self, connection: str, environment: int, lock: str | None, requeue: bool, attempts: int, delay: timedelta | None
    ) -> None:
        spec = task(
            connection,
            environment=environment,
            lock_key=lock,
            requeue_on_lost_lease=requeue,
            start_after=delay,
            retry=RetryPolicy(max_attempts=attempts, first=timedelta(seconds=4)),
        )
        [outcome] = self.run(self.engine.submit([spec]))
        assert outcome.created == (outcome.task_id not in self.known)
        self.known.setdefault(outcome.task_id, (TaskState.DELAYED if delay else TaskState.CREATED, 0))

    @rule(worker=st.sampled_from(WORKERS), most=st.integers(1, 6))
    def claim(self, worker: str, most: int) -> None:
        self.dead.discard(worker)
        self.run(self.engine.register(worker, {"sync": 6}))
        for claimed in self.run(self.engine.claim(worker, {"sync": most})):
            state, attempt = self.known[claimed.id]
            assert not is_final(state)
            assert claimed.attempt == attempt + 1, "a task was handed out twice, or an attempt was skipped"
            self.known[claimed.id] = (TaskState.STARTED, claimed.attempt)
            self.held[worker].append(claimed)

    @rule(worker=st.sampled_from(WORKERS), fails=st.booleans())
    def finish(self, worker: str, fails: bool) -> None:
        if self.held[worker]:
            one = self.held[worker].pop(0)
            outcome = Failed({"code": "x"}, retryable=True) if fails else Succeeded(b"1")
            before = self.run(self.bed.look())[one.id]
            [counted] = self.run(self.engine.finish([Finish(one.id, one.attempt, outcome)]))
            assert counted == (before == ("started", one.attempt)), "a late attempt counted, or a live one did not"

    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        open_ = [i for i, (s, _) in self.known.items() if not is_final(s)]
        if open_:
            chosen = data.draw(st.sampled_from(sorted(open_)))
            self.run(self.engine.cancel([chosen]))

    @rule(worker=st.sampled_from(WORKERS))
    def die(self, worker: str) -> None:
        self.dead.add(worker)

    @rule(seconds=st.integers(1, 12))
    def pass_time(self, seconds: int) -> None:
        for _ in range(0, seconds, 2):
            self.run(self.bed.move(timedelta(seconds=2)))
            for worker in WORKERS:
                if worker not in self.dead:
                    self.run(self.engine.beat(worker))
            self.run(self.engine.turn())

    @rule(minutes=st.integers(1, 3))
    def outage(self, minutes: int) -> None:
        before = self.run(self.bed.look())
        self.run(self.bed.move(timedelta(minutes=minutes)))
        self.run(self.engine._reaper.once())
        after = self.run(self.bed.look())
        started = {i for i, (state, _) in before.items() if state == "started"}
        assert started == {i for i, (state, _) in after.items() if state == "started"}, "an outage took tasks back"

    @invariant()
    def what_is_stored_follows_from_what_was_known(self) -> None:
        if not hasattr(self, "engine"):
            return
        stored = self.run(self.bed.look())
        assert stored.keys() == self.known.keys(), "a task was lost or made up"
        for task_id, (name, attempt) in stored.items():
            state, known_attempt = TaskState(name), self.known[task_id][1]
            assert attempt == known_attempt, "an attempt without a claim"
            assert not is_final(self.known[task_id][0]) or state is self.known[task_id][0], "a final state was left"
            self.known[task_id] = (state, attempt)
        note(f"{len(stored)} tasks")


def test_the_engine_agrees_with_its_model(orchestrator_url: str, move_clock: MoveClock) -> None:
    loop = asyncio.new_event_loop()
    database = Database(orchestrator_url, max_size=4)
    loop.run_until_complete(database.open())
    raw = loop.run_until_complete(connect(orchestrator_url))

    class Machine(EngineMachine):
        bed = Bed(loop, database, raw, orchestrator_url, move_clock)

    try:
        run_state_machine_as_test(
            Machine,
            settings=settings(
                max_examples=25,
                stateful_step_count=30,
                deadline=None,
                print_blob=True,
                suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
            ),
        )
    finally:
        loop.run_until_complete(raw.close())
        loop.run_until_complete(database.close())
        loop.close()


def test_the_model_knows_every_open_state() -> None:
    assert set(MOVES) == {TaskState.CREATED, TaskState.DELAYED, TaskState.STARTED}
    with pytest.raises(KeyError):
        MOVES[TaskState.SUCCEEDED]
