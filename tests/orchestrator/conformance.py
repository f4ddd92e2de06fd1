"""What every engine must do, written against the port alone. A test class per engine inherits `EngineConformance`."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol
from uuid import UUID, uuid4

import pytest

from dragoman_server.orchestrator.errors import InvalidTaskError, QueueFullError
from dragoman_server.orchestrator.model import (
    Cancelled,
    ClaimedTask,
    Failed,
    Finish,
    GroupKey,
    Interrupted,
    RetryPolicy,
    ScheduleSpec,
    Succeeded,
    TaskSpec,
    TriggerStatus,
)
from dragoman_server.orchestrator.port import Engine
from dragoman_server.orchestrator.states import TaskState

QUEUED_CAP = 5
ENVIRONMENT_CAP = 4
SECOND = timedelta(seconds=1)
NOWHERE = timedelta(milliseconds=1)


class World(Protocol):
    """An engine whose lane `small` has the caps above, and whose time the test moves."""

    @property
    def engine(self) -> Engine: ...

    async def pass_time(self, by: timedelta, *, beating: tuple[str, ...] = ()) -> None:
        """Let time pass in small steps, running every loop at each; `beating` workers beat meanwhile."""
        ...

    async def jump(self, by: timedelta) -> None:
        """Let time pass at once, as if every process had been stopped; no loop runs."""
        ...

    async def turn(self) -> None:
        """Run one turn of every loop."""
        ...


def task(
    connection: str = "a",
    *,
    environment: int = 1,
    queue: str = "sync",
    payload: dict[str, Any] | None = None,
    **more: Any,
) -> TaskSpec:
    more.setdefault("run_timeout", timedelta(minutes=10))
    return TaskSpec(queue, GroupKey(environment, connection), {"v": 1} | (payload or {}), **more)


def schedule(key: str = "s", *, every: timedelta = timedelta(minutes=1), **more: Any) -> ScheduleSpec:
    made: TaskSpec = more.pop("task", None) or task()
    return ScheduleSpec(key, made, every, **more)


async def drain(engine: Engine, worker: str, queues: dict[str, int]) -> list[ClaimedTask]:
    """Claim until there is nothing to take."""
    taken: list[ClaimedTask] = []
    while got := await engine.claim(worker, queues):
        taken += got
    return taken


def done(claimed: ClaimedTask, output: bytes | None = None) -> Finish:
    return Finish(claimed.id, claimed.attempt, Succeeded(output))


class Chair:
    """A worker's seat with `free` slots in each lane it is asked for."""

    def __init__(self, worker: str, free: int) -> None:
        self.worker = worker
        self.slots = free
        self.free: dict[str, int] = {}
        self.taken: list[ClaimedTask] = []
        self.answers = 0

    def __call__(self, lanes: Collection[str]) -> "Chair | None":
        self.free = dict.fromkeys(lanes, self.slots)
        return self if self.slots else None

    def take(self, tasks: Sequence[ClaimedTask]) -> None:
        self.taken += tasks
        self.answers += 1


class EngineConformance:
    # -- queueing and finishing --------------------------------------------------------------------------------------

    async def test_a_submitted_task_is_claimed_once_and_its_result_stays_readable(self, world: World) -> None:
        engine = world.engine
        await engine.register("w", {"sync": 4})
        [outcome] = await engine.submit([task(payload={"x": "snow ☃ \0"})])

        [claimed] = await engine.claim("w", {"sync": 4})
        again = await engine.claim("w", {"sync": 4})
        answers = await engine.finish([done(claimed, b'{"ok":true}')])

        assert outcome.created
        assert (claimed.id, claimed.attempt, claimed.payload) == (outcome.task_id, 1, {"v": 1, "x": "snow ☃ \0"})
        assert again == []
        assert answers == [True]
        await world.jump(timedelta(hours=30))
        result = await engine.result(outcome.task_id)
        assert result is not None
        assert (result.state, result.output, result.attempt) == (TaskState.SUCCEEDED, b'{"ok":true}', 1)

    async def test_an_unknown_or_unfinished_task_has_no_result(self, world: World) -> None:
        [outcome] = await world.engine.submit([task()])

        assert await world.engine.result(outcome.task_id) is None
        assert await world.engine.result(uuid4()) is None

    @pytest.mark.parametrize(
        ("outcome", "state"),
        [
            (Succeeded(None), TaskState.SUCCEEDED),
            (Failed({"code": "boom", "odd": "\0\ud800"}), TaskState.FAILED),
            (Cancelled(), TaskState.CANCELLED),
            (Interrupted("shut down"), TaskState.INTERRUPTED),
        ],
    )
    async def test_each_outcome_ends_the_task_in_its_state(
        self, world: World, outcome: Succeeded | Failed | Cancelled | Interrupted, state: TaskState
    ) -> None:
        engine = world.engine
        await engine.submit([task()])
        [claimed] = await engine.claim("w", {"sync": 1})

        await engine.finish([Finish(claimed.id, claimed.attempt, outcome)])

        result = await engine.result(claimed.id)
        assert result is not None
        assert result.state is state

    async def test_a_finish_of_another_attempt_or_a_second_finish_is_fenced(self, world: World) -> None:
        engine = world.engine
        await engine.submit([task()])
        [claimed] = await engine.claim("w", {"sync": 1})

        early = await engine.finish([Finish(claimed.id, claimed.attempt + 1, Succeeded())])
        late = await engine.finish([Finish(claimed.id, claimed.attempt - 1, Succeeded())])
        both = await engine.finish([done(claimed), done(claimed)])
        after = await engine.finish([Finish(claimed.id, claimed.attempt, Failed({"code": "late"}))])

        assert (early, late, both, after) == ([False], [False], [True, False], [False])
        result = await engine.result(claimed.id)
        assert result is not None
        assert result.state is TaskState.SUCCEEDED

    async def test_a_retryable_failure_comes_back_after_its_pause_and_ends_after_the_last_attempt(
        self, world: World
    ) -> None:
        engine = world.engine
        policy = RetryPolicy(max_attempts=3, first=timedelta(seconds=10), factor=3.0, ceiling=timedelta(seconds=20))
        [outcome] = await engine.submit([task(retry=policy)])
        failed = Failed({"code": "flaky"}, retryable=True)
        waits: list[bool] = []

        for pause in (10, 20):
            [claimed] = await engine.claim("w", {"sync": 1})
            await engine.finish([Finish(claimed.id, claimed.attempt, failed)])
            await world.jump(timedelta(seconds=pause - 1))
            await world.turn()
            waits.append(await engine.claim("w", {"sync": 1}) == [])
            await world.jump(2 * SECOND)
            await world.turn()
        [last] = await engine.claim("w", {"sync": 1})
        await engine.finish([Finish(last.id, last.attempt, failed)])

        assert waits == [True, True]
        assert last.attempt == 3
        result = await engine.result(outcome.task_id)
        assert result is not None
        assert (result.state, result.error) == (TaskState.FAILED, {"code": "flaky"})

    async def test_a_failure_that_is_not_retryable_ends_at_once(self, world: World) -> None:
        engine = world.engine
        [outcome] = await engine.submit([task(retry=RetryPolicy(max_attempts=5))])
        [claimed] = await engine.claim("w", {"sync": 1})

        await engine.finish([Finish(claimed.id, 1, Failed({"code": "no"}, retryable=False))])

        assert await engine.result(outcome.task_id) is not None

    async def test_a_task_waits_for_its_start_after(self, world: World) -> None:
        engine = world.engine
        await engine.submit([task(start_after=timedelta(seconds=30))])

        early = await engine.claim("w", {"sync": 1})
        await world.pass_time(timedelta(seconds=31))

        assert early == []
        assert len(await engine.claim("w", {"sync": 1})) == 1

    async def test_a_task_not_started_in_time_expires_and_is_never_claimed(self, world: World) -> None:
        engine = world.engine
        [outcome] = await engine.submit([task(start_by=timedelta(seconds=30))])
        await world.jump(timedelta(seconds=31))

        late = await engine.claim("w", {"sync": 1})
        await world.turn()

        result = await engine.result(outcome.task_id)
        assert late == []
        assert result is not None
        assert result.state is TaskState.EXPIRED

    async def test_higher_priority_goes_first_and_equals_in_order(self, world: World) -> None:
        engine = world.engine
        for number, priority in enumerate((0, 5, 0, 5)):
            await engine.submit([task(priority=priority, payload={"n": number})])

        order = [(await engine.claim("w", {"sync": 1}))[0].payload["n"] for _ in range(4)]

        assert order == [1, 3, 0, 2]

    async def test_a_bad_task_is_refused_and_nothing_of_its_request_is_queued(self, world: World) -> None:
        engine = world.engine
        bad = [
            TaskSpec("sync", GroupKey(1, "a"), {}, SECOND),
            task(run_timeout=timedelta(0)),
            task(connection="nul\0"),
            task(priority=2**40),
            task(payload={"x": {1, 2}, "y": object()}),
        ]

        for spec in bad:
            with pytest.raises(InvalidTaskError):
                await engine.submit([task(), spec])

        assert await engine.claim("w", {"sync": 10}) == []

    # -- never twice -------------------------------------------------------------------------------------------------

    async def test_concurrent_submissions_of_one_idempotency_key_make_one_task(self, world: World) -> None:
        engine = world.engine
        spec = task(idempotency_key="order-7")

        answers = await asyncio.gather(*(engine.submit([spec]) for _ in range(20)))
        [claimed] = await drain(engine, "w", {"sync": 50})
        await engine.finish([done(claimed)])
        late = await engine.submit([spec])
        elsewhere = await engine.submit([task(environment=2, idempotency_key="order-7")])

        assert {a[0].task_id for a in [*answers, late]} == {claimed.id}
        assert sum(a[0].created for a in [*answers, late]) == 1
        assert elsewhere[0].created

    async def test_a_lock_key_is_held_by_one_active_task(self, world: World) -> None:
        engine = world.engine

        answers = await asyncio.gather(*(engine.submit([task(lock_key="k")]) for _ in range(20)))
        claimed = await drain(engine, "w", {"sync": 50})
        while_running = await engine.submit([task(lock_key="k")])
        await engine.finish([done(claimed[0])])
        afterwards = await engine.submit([task(lock_key="k")])

        assert len(claimed) == 1
        assert {a[0].task_id for a in [*answers, while_running]} == {claimed[0].id}
        assert afterwards[0].created

    async def test_an_idempotency_key_refused_by_a_lock_stands_for_the_holder(self, world: World) -> None:
        engine = world.engine
        [holder] = await engine.submit([task(lock_key="k")])
        [second] = await engine.submit([task(lock_key="k", idempotency_key="i")])
        [claimed] = await engine.claim("w", {"sync": 1})
        await engine.finish([done(claimed)])

        [repeat] = await engine.submit([task(lock_key="k", idempotency_key="i")])

        assert second.task_id == repeat.task_id == holder.task_id
        assert not repeat.created

    # -- the cap on waiting tasks ------------------------------------------------------------------------------------

    async def test_a_full_queue_refuses_whole_requests_and_never_overfills(self, world: World) -> None:
        engine = world.engine

        answers = await asyncio.gather(
            *(engine.submit([task(queue="small"), task(queue="small")]) for _ in range(8)), return_exceptions=True
        )
        other = await engine.submit([task(queue="small", environment=2)])

        refused = [a for a in answers if isinstance(a, QueueFullError)]
        assert len(refused) == 6
        assert refused[0].status == 429
        assert int(refused[0].headers["Retry-After"]) > 0
        assert other[0].created
        await engine.set_cap("small", GroupKey(1), 100, environment_wide=True)
        assert len([t for t in await drain(engine, "w", {"small": 50}) if t.group.environment_id == 1]) == 4

    async def test_a_repeated_submission_is_answered_though_the_queue_is_full(self, world: World) -> None:
        engine = world.engine
        [first] = await engine.submit([task(queue="small", idempotency_key="i")])
        await engine.submit([task(queue="small") for _ in range(QUEUED_CAP - 1)])

        [repeat] = await engine.submit([task(queue="small", idempotency_key="i")])

        assert (repeat.task_id, repeat.created) == (first.task_id, False)
        with pytest.raises(QueueFullError):
            await engine.submit([task(queue="small")])

    # -- fairness and caps -------------------------------------------------------------------------------------------

    async def test_turns_go_round_environments_then_their_connections(self, world: World) -> None:
        engine = world.engine
        await engine.submit([task("a", environment=1) for _ in range(30)])
        await engine.submit([task("b", environment=1) for _ in range(30)])
        await engine.submit([task("c", environment=2) for _ in range(30)])

        claimed = await engine.claim("w", {"sync": 12})

        counts = {c: sum(t.group.connection == c for t in claimed) for c in "abc"}
        assert counts == {"a": 3, "b": 3, "c": 6}

    async def test_single_claims_take_turns_too(self, world: World) -> None:
        engine = world.engine
        await engine.submit([task(c, environment=e) for c in ("", "x", "y") for e in (1, 2) for _ in range(4)])

        groups = [(await engine.claim("w", {"sync": 1}))[0].group for _ in range(12)]

        assert {groups.count(g) for g in set(groups)} == {2}
        assert len(set(groups)) == 6

    async def test_an_environment_cap_holds_under_concurrent_claimers(self, world: World) -> None:
        engine = world.engine
        await engine.submit([task(f"c{n}", queue="small") for n in range(QUEUED_CAP)])
        await engine.submit([task(f"c{n}", queue="small", environment=17) for n in range(QUEUED_CAP)])

        claims = await asyncio.gather(*(engine.claim(f"w{n}", {"small": 5}) for n in range(8)))

        taken = [t.group.environment_id for claim in claims for t in claim]
        assert (taken.count(1), taken.count(17)) == (ENVIRONMENT_CAP, ENVIRONMENT_CAP)

    async def test_a_finished_task_makes_room_under_the_cap(self, world: World) -> None:
        engine = world.engine
        await engine.submit([task(f"c{n}", queue="small") for n in range(QUEUED_CAP)])
        claimed = await drain(engine, "w", {"small": 9})

        await engine.finish([done(claimed[0])])

        assert len(claimed) == ENVIRONMENT_CAP
        assert len(await drain(engine, "w", {"small": 9})) == 1

    async def test_a_cap_set_by_hand_binds_one_connection_and_zero_stops_it(self, world: World) -> None:
        engine = world.engine
        await engine.submit([task(c) for c in "ab" for _ in range(5)])
        await engine.set_cap("sync", GroupKey(1, "a"), 0, environment_wide=False)

        capped = await drain(engine, "w", {"sync": 50})
        await engine.set_cap("sync", GroupKey(1, "a"), None, environment_wide=False)
        lifted = await drain(engine, "w", {"sync": 50})

        assert {t.group.connection for t in capped} == {"b"}
        assert len(capped) == len(lifted) == 5

    async def test_one_connection_never_holds_more_than_three_quarters_of_the_slots(self, world: World) -> None:
        engine = world.engine
        await engine.register("w1", {"sync": 8})
        await engine.register("w2", {"sync": 8})
        await engine.submit([task("flood") for _ in range(100)])

        claims = await asyncio.gather(drain(engine, "w1", {"sync": 8}), drain(engine, "w2", {"sync": 8}))
        await engine.submit([task("other")])
        other = await engine.claim("w1", {"sync": 1})

        assert sum(len(c) for c in claims) == 12
        assert [t.group.connection for t in other] == ["other"]

    async def test_interactive_tasks_wait_in_a_lane_of_their_own(self, world: World) -> None:
        engine = world.engine
        await engine.submit([task(queue="action") for _ in range(3)])
        await engine.submit([task(queue="action", interactive=True)])

        interactive = await engine.claim("w", {"action:interactive": 10})
        ordinary = await drain(engine, "w", {"action": 10})

        assert (len(interactive), len(ordinary)) == (1, 3)

    async def test_in_a_flood_another_group_is_served_in_the_first_round(self, world: World) -> None:
        engine = world.engine
        await engine.register("w", {"sync": 16})
        await engine.submit([task("flood", environment=1) for _ in range(9_000)])
        await engine.submit([task("late", environment=1), task("late", environment=2)])

        first = await engine.claim("w", {"sync": 4})

        assert {(1, "late"), (2, "late")} <= {(t.group.environment_id, t.group.connection) for t in first}

    # -- waiting and cancelling --------------------------------------------------------------------------------------

    async def test_a_waiter_gets_the_result_and_a_late_one_too(self, world: World) -> None:
        engine = world.engine
        [outcome] = await engine.submit([task()])
        waiting = asyncio.create_task(engine.wait(outcome.task_id, timedelta(seconds=20)))
        [claimed] = await engine.claim("w", {"sync": 1})

        await engine.finish([done(claimed, b"1")])

        first, second = await waiting, await engine.wait(outcome.task_id, NOWHERE)
        assert first is not None
        assert first.output == b"1"
        assert second == first

    async def test_a_waiter_gives_up_at_its_timeout(self, world: World) -> None:
        [outcome] = await world.engine.submit([task()])

        assert await world.engine.wait(outcome.task_id, NOWHERE) is None

    async def test_a_queued_task_is_cancelled_at_once_also_by_lock_key(self, world: World) -> None:
        engine = world.engine
        outcomes = await engine.submit([task(lock_key="k"), task(), task(start_after=SECOND)])

        count = await engine.cancel([outcomes[1].task_id, outcomes[2].task_id], lock_keys=["k", "unknown"])

        results = [await engine.result(o.task_id) for o in outcomes]
        assert count == 3
        assert [r.state for r in results if r] == [TaskState.CANCELLED] * 3
        assert await engine.claim("w", {"sync": 9}) == []

    async def test_a_started_tasks_worker_learns_of_the_cancel_by_its_beat(self, world: World) -> None:
        engine = world.engine
        await engine.register("w", {"sync": 2})
        await engine.submit([task("x"), task("y")])
        one, two = await drain(engine, "w", {"sync": 2})
        before = await engine.beat("w")

        await engine.cancel([one.id])

        assert before == frozenset()
        assert await engine.beat("w") == {one.id}
        assert await engine.finish([Finish(one.id, 1, Cancelled()), done(two)]) == [True, True]
        assert await engine.beat("w") == frozenset()

    async def test_a_cancelled_run_that_fails_is_not_tried_again(self, world: World) -> None:
        engine = world.engine
        [outcome] = await engine.submit([task(retry=RetryPolicy(max_attempts=3))])
        [claimed] = await engine.claim("w", {"sync": 1})
        await engine.cancel([claimed.id])

        await engine.finish([Finish(claimed.id, 1, Failed({"code": "x"}, retryable=True))])

        result = await engine.result(outcome.task_id)
        assert result is not None
        assert result.state is TaskState.CANCELLED

    # -- lost workers ------------------------------------------------------------------------------------------------

    async def test_a_dead_workers_tasks_are_back_within_ten_seconds_and_its_late_finish_is_fenced(
        self, world: World
    ) -> None:
        engine = world.engine
        await world.pass_time(timedelta(seconds=10))  # the reaper has watched for a lease
        await engine.register("dead", {"sync": 4})
        await engine.register("alive", {"sync": 4})
        [sync] = await engine.submit([task("x", requeue_on_lost_lease=True)])
        await engine.submit([task("y")])
        claimed = await drain(engine, "dead", {"sync": 2})

        await world.pass_time(timedelta(seconds=9), beating=("alive",))

        [again] = await engine.claim("alive", {"sync": 4})
        action = next(t.id for t in claimed if t.id != sync.task_id)
        result = await engine.result(action)
        assert (again.id, again.attempt) == (sync.task_id, 2)
        assert result is not None
        assert result.state is TaskState.INTERRUPTED
        assert await engine.beat("dead") == {t.id for t in claimed}
        assert await engine.finish([done(t) for t in claimed]) == [False, False]
        assert await engine.beat("dead") == frozenset()
        assert await engine.finish([done(again)]) == [True]

    async def test_a_beating_worker_keeps_its_tasks(self, world: World) -> None:
        engine = world.engine
        await engine.register("w", {"sync": 1})
        await engine.submit([task(requeue_on_lost_lease=True)])
        [claimed] = await engine.claim("w", {"sync": 1})

        await world.pass_time(timedelta(seconds=40), beating=("w",))

        assert await engine.finish([done(claimed)]) == [True]

    async def test_after_an_outage_nothing_that_still_runs_is_taken_back(self, world: World) -> None:
        engine = world.engine
        await engine.register("w", {"sync": 1})
        await engine.submit([task(requeue_on_lost_lease=True)])
        [claimed] = await engine.claim("w", {"sync": 1})
        await world.pass_time(timedelta(seconds=20), beating=("w",))

        await world.jump(timedelta(minutes=5))  # nobody could beat, nobody could watch
        await world.turn()
        await world.turn()
        await engine.beat("w")
        await world.pass_time(timedelta(seconds=20), beating=("w",))

        assert await engine.finish([done(claimed)]) == [True]

    async def test_a_worker_that_says_goodbye_gives_its_tasks_back_at_once_even_to_who_has_just_come(
        self, world: World
    ) -> None:
        engine = world.engine
        await engine.register("w", {"sync": 1})
        await engine.submit([task(requeue_on_lost_lease=True)])
        await engine.claim("w", {"sync": 1})

        await engine.unregister("w")
        await world.turn()

        assert len(await engine.claim("v", {"sync": 1})) == 1

    async def test_an_interrupted_run_goes_back_at_once_if_it_may_and_never_counts_as_success(
        self, world: World
    ) -> None:
        engine = world.engine
        [sync, action] = await engine.submit([task("x", requeue_on_lost_lease=True), task("y")])
        claimed = await drain(engine, "w", {"sync": 2})

        answers = await engine.finish([Finish(t.id, t.attempt, Interrupted("shutdown")) for t in claimed])

        [again] = await engine.claim("w", {"sync": 2})
        result = await engine.result(action.task_id)
        assert answers == [True, True]
        assert (again.id, again.attempt) == (sync.task_id, 2)
        assert result is not None
        assert (result.state, (result.error or {})["message"]) == (TaskState.INTERRUPTED, "shutdown")

    async def test_a_task_that_kills_its_workers_is_given_up(self, world: World) -> None:
        engine = world.engine
        await world.pass_time(timedelta(seconds=10))
        [outcome] = await engine.submit([task(requeue_on_lost_lease=True)])

        for number in range(6):
            await engine.register(f"w{number}", {"sync": 1})
            await engine.claim(f"w{number}", {"sync": 1})
            await engine.unregister(f"w{number}")
            await world.turn()

        result = await engine.result(outcome.task_id)
        assert result is not None
        assert (result.state, result.attempt) == (TaskState.INTERRUPTED, 6)

    async def test_a_cancelled_task_of_a_dead_worker_ends_cancelled(self, world: World) -> None:
        engine = world.engine
        await world.pass_time(timedelta(seconds=10))
        await engine.register("w", {"sync": 1})
        [outcome] = await engine.submit([task(requeue_on_lost_lease=True)])
        await engine.claim("w", {"sync": 1})
        await engine.cancel([outcome.task_id])

        await world.pass_time(timedelta(seconds=9))

        result = await engine.result(outcome.task_id)
        assert result is not None
        assert result.state is TaskState.CANCELLED

    async def test_a_run_past_its_timeout_is_ended_though_its_worker_beats(self, world: World) -> None:
        engine = world.engine
        await engine.register("w", {"sync": 1})
        await engine.submit([task(run_timeout=timedelta(seconds=20), requeue_on_lost_lease=True)])
        [claimed] = await engine.claim("w", {"sync": 1})

        await world.pass_time(timedelta(seconds=30), beating=("w",))

        result = await engine.result(claimed.id)
        assert result is not None
        assert (result.state, (result.error or {})["code"]) == (TaskState.FAILED, "run_timeout")
        assert await engine.beat("w") == {claimed.id}
        assert await engine.finish([done(claimed)]) == [False]

    # -- schedules ---------------------------------------------------------------------------------------------------

    async def test_a_new_schedule_runs_at_once_then_on_its_grid_and_never_overlaps(self, world: World) -> None:
        engine = world.engine
        await engine.upsert_schedules([schedule(task=task(payload={"sync": 1}))])
        await world.turn()
        [first] = await engine.claim("w", {"sync": 9})

        await world.jump(timedelta(seconds=61))
        await world.turn()
        overlapping = await engine.claim("w", {"sync": 9})
        await engine.finish([done(first)])
        await world.turn()
        late = await engine.claim("w", {"sync": 9})
        await world.jump(timedelta(seconds=60))
        await world.turn()
        [second] = await engine.claim("w", {"sync": 9})

        assert (first.schedule_key, first.payload["sync"]) == ("s", 1)
        assert overlapping == late == []
        assert second.ready_at - first.ready_at == timedelta(seconds=120)

    async def test_after_downtime_each_schedule_runs_once_and_stays_on_its_grid(self, world: World) -> None:
        engine = world.engine
        start = datetime(2020, 1, 1, 0, 0, 7, tzinfo=UTC)
        await engine.upsert_schedules([schedule(f"s{n}", starts_at=start) for n in range(20)])

        await world.jump(timedelta(hours=3))
        await world.turn()
        await world.turn()

        claimed = await drain(engine, "w", {"sync": 50})
        infos = await engine.search_schedules([f"s{n}" for n in range(20)])
        assert sorted(t.schedule_key or "" for t in claimed) == sorted(f"s{n}" for n in range(20))
        assert {i.next_run_at.second for i in infos if i.next_run_at} == {7}
        assert {t.ready_at.second for t in claimed} == {7}

    async def test_two_tickers_racing_start_each_due_schedule_once(self, world: World) -> None:
        engine = world.engine
        await engine.upsert_schedules([schedule(f"s{n}") for n in range(300)])

        await asyncio.gather(*(world.turn() for _ in range(6)))

        claimed = await drain(engine, "w", {"sync": 400})
        assert len({t.schedule_key for t in claimed}) == len(claimed) == 300

    async def test_a_paused_schedule_is_not_due_and_resumed_it_skips_to_its_grid(self, world: World) -> None:
        engine = world.engine
        await engine.upsert_schedules([schedule(starts_at=datetime(2020, 1, 1, tzinfo=UTC))])
        paused = await engine.set_schedule_state(["s", "unknown"], paused=True)
        await world.jump(timedelta(seconds=200))
        await world.turn()
        [while_paused] = await engine.search_schedules(["s"])

        await engine.set_schedule_state(["s"], paused=False)
        await world.turn()
        early = await engine.claim("w", {"sync": 1})
        await world.jump(timedelta(seconds=60))
        await world.turn()

        assert paused == 1
        assert (while_paused.paused, while_paused.next_run_at) == (True, None)
        assert early == []
        assert len(await engine.claim("w", {"sync": 1})) == 1

    async def test_a_retimed_schedule_keeps_the_start_of_its_grid(self, world: World) -> None:
        engine = world.engine
        await engine.upsert_schedules([schedule(starts_at=datetime(2020, 1, 1, 0, 0, 7, tzinfo=UTC))])

        found = await engine.retime("s", timedelta(minutes=5))
        unknown = await engine.retime("none", timedelta(minutes=5))

        [info] = await engine.search_schedules(["s"])
        assert (found, unknown) == (True, False)
        assert info.every == timedelta(minutes=5)
        assert info.next_run_at is not None
        assert (info.next_run_at.minute % 5, info.next_run_at.second) == (0, 7)

    async def test_trigger_answers_per_key_and_a_paused_schedule_runs_once_and_stays_paused(self, world: World) -> None:
        engine = world.engine
        await engine.upsert_schedules([schedule("s", paused=True, task=task(payload={"full": False, "k": 1}))])

        started, unknown = await engine.trigger(["s", "none"], payload_extra={"full": True})
        [again] = await engine.trigger(["s"])
        [claimed] = await engine.claim("w", {"sync": 1})
        [running] = await engine.search_schedules(["s"])
        await engine.finish([done(claimed)])
        await world.jump(timedelta(hours=1))
        await world.turn()
        [info] = await engine.search_schedules(["s"])

        assert [o.status for o in (started, unknown, again)] == [
            TriggerStatus.STARTED,
            TriggerStatus.NOT_FOUND,
            TriggerStatus.ALREADY_RUNNING,
        ]
        assert started.task_id == again.task_id == claimed.id == running.running_task_id
        assert claimed.payload == {"v": 1, "full": True, "k": 1}
        assert (info.paused, info.running_task_id, info.last_state) == (True, None, TaskState.SUCCEEDED)
        assert await engine.claim("w", {"sync": 1}) == []

    async def test_an_upsert_changes_the_task_and_keeps_the_grid(self, world: World) -> None:
        engine = world.engine
        await engine.upsert_schedules([schedule()])
        await world.turn()
        [before] = await engine.search_schedules(["s"])

        await world.jump(timedelta(seconds=10))
        await engine.upsert_schedules([schedule(task=task(payload={"new": 1}))])

        [after] = await engine.search_schedules(["s"])
        assert after.next_run_at == before.next_run_at
        await drain(engine, "w", {"sync": 9})

    async def test_a_deleted_schedule_is_gone_with_what_it_had_queued(self, world: World) -> None:
        engine = world.engine
        await engine.upsert_schedules([schedule()])
        await world.turn()

        count = await engine.delete_schedules(["s", "none"])
        await world.jump(timedelta(hours=1))
        await world.turn()

        assert count == 1
        assert await engine.search_schedules(["s"]) == []
        assert await engine.claim("w", {"sync": 1}) == []

    async def test_a_schedule_that_cannot_be_taken_is_refused(self, world: World) -> None:
        for bad in (schedule(every=timedelta(0)), schedule(task=task(idempotency_key="x"))):
            with pytest.raises(InvalidTaskError):
                await world.engine.upsert_schedules([bad])

    # -- waking ------------------------------------------------------------------------------------------------------

    async def test_a_submission_between_claim_and_wait_is_not_slept_over(self, world: World) -> None:
        engine = world.engine
        await engine.claim("w", {"sync": 1})
        await engine.submit([task()])

        assert await engine.wait_for_work(["sync"], timedelta(milliseconds=1))
        await engine.claim("w", {"sync": 1})
        assert not await engine.wait_for_work(["sync"], timedelta(milliseconds=1))

    # -- a worker beside the submitter -------------------------------------------------------------------------------

    async def test_a_seat_is_given_what_is_submitted_beside_it(self, world: World) -> None:
        engine, chair = world.engine, Chair("w", 3)
        await engine.register("w", {"sync": 3})
        engine.seat("w", chair)
        [outcome] = await engine.submit([task(payload={"n": 1})])

        [claimed] = chair.taken
        assert (claimed.id, claimed.attempt, claimed.payload) == (outcome.task_id, 1, {"v": 1, "n": 1})
        assert await engine.claim("other", {"sync": 5}) == []
        assert await engine.finish([done(claimed, b"7")]) == [True]
        ended = await engine.wait(outcome.task_id, SECOND)
        assert ended is not None
        assert ended.output == b"7"

    async def test_a_seat_claims_fairly_and_under_the_caps(self, world: World) -> None:
        engine = world.engine
        [first] = await engine.submit([task(queue="small")])
        chair = Chair("w", 10)
        await engine.register("w", {"small": 10})
        engine.seat("w", chair)
        await engine.submit([task(queue="small") for _ in range(QUEUED_CAP - 1)])

        assert (
            len(chair.taken) == 0
        )  # that near to the cap on waiting tasks, submitting counts under locks and is alone
        taken = await engine.claim("w", {"small": 10})
        assert len(taken) == ENVIRONMENT_CAP
        assert taken[0].id == first.task_id
        many = [task(queue="sync", connection=str(n % 2), environment=1 + n % 3) for n in range(12)]
        chair.slots = 6
        await engine.submit(many)
        assert sorted(t.group.environment_id for t in chair.taken) == [1, 1, 2, 2, 3, 3]

    async def test_a_full_or_forgotten_seat_leaves_tasks_to_others(self, world: World) -> None:
        engine, full, gone = world.engine, Chair("full", 0), Chair("gone", 5)
        engine.seat("full", full)
        engine.seat("gone", gone)
        await engine.unregister("gone")
        await engine.submit([task(), task(start_after=SECOND)])

        assert full.taken == gone.taken == []
        assert len(await engine.claim("w", {"sync": 5})) == 1

    async def test_a_refused_submission_gives_the_seat_back_its_slots(self, world: World) -> None:
        engine, chair = world.engine, Chair("w", 3)
        engine.seat("w", chair)
        with pytest.raises(QueueFullError):
            await engine.submit([task(queue="small") for _ in range(QUEUED_CAP + 1)])

        assert (chair.answers, chair.taken) == (1, [])

    async def test_a_call_submits_and_waits_for_the_end(self, world: World) -> None:
        engine, chair = world.engine, Chair("w", 1)
        engine.seat("w", chair)
        spec = task(idempotency_key="once")
        calling = asyncio.create_task(engine.call(spec, 10 * SECOND))
        while not chair.taken:
            await asyncio.sleep(0)
        await engine.finish([done(chair.taken[0], b"1")])
        task_id, ended = await calling
        assert ended is not None
        assert (ended.task_id, ended.output) == (task_id, b"1")
        assert (await engine.call(spec, SECOND)) == (task_id, ended)
        assert (await engine.call(task(connection="b"), NOWHERE))[1] is None

    # -- who holds a task, and who ended it --------------------------------------------------------------------------

    async def test_an_attempt_holds_its_task_until_it_ends_or_is_taken_back(self, world: World) -> None:
        engine = world.engine
        await world.pass_time(timedelta(seconds=10))
        await engine.register("w", {"sync": 1})
        await engine.submit([task(requeue_on_lost_lease=True)])
        [first] = await engine.claim("w", {"sync": 1})
        assert await engine.holds(first.id, 1)
        assert not await engine.holds(first.id, 2)
        await engine.unregister("w")
        await world.turn()
        assert not await engine.holds(first.id, 1)
        [second] = await engine.claim("other", {"sync": 1})
        assert not await engine.holds(first.id, 1)
        assert await engine.holds(second.id, 2)
        await engine.finish([done(second)])
        assert not await engine.holds(second.id, 2)

    async def test_what_is_ended_for_a_lost_worker_is_told_by_environment(self, world: World) -> None:
        engine = world.engine
        told: list[Mapping[int, Collection[UUID]]] = []

        async def tell(ended: Mapping[int, Collection[UUID]]) -> None:
            told.append(ended)

        engine.tell_abandoned(tell)
        await world.pass_time(timedelta(seconds=10))
        await engine.register("w", {"sync": 9})
        made = await engine.submit(
            [
                task(environment=7),
                task(environment=8),
                task(environment=8, requeue_on_lost_lease=True),
                task(environment=9),
            ]
        )
        claimed = await drain(engine, "w", {"sync": 9})
        await engine.finish([done(t) for t in claimed if t.group.environment_id == 9])
        assert told == []
        await engine.unregister("w")
        await world.turn()
        assert told == [{7: [made[0].task_id], 8: [made[1].task_id]}]
        await engine.cancel([made[2].task_id])
        assert told[1:] == [{8: [made[2].task_id]}]
