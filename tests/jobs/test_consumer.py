"""A worker stops what must stop exactly once, and two attempts of one task are two things to it."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, cast
from uuid import UUID

from dragoman_server.jobs.consumer import Consumer
from dragoman_server.kit.ids import uuid7
from dragoman_server.orchestrator.model import Cancelled, ClaimedTask, Finish, GroupKey, Outcome, Succeeded
from dragoman_server.orchestrator.port import Engine


class ScriptedEngine:
    """Hands out what it is told to, and remembers what it is told."""

    def __init__(self) -> None:
        self.queued: list[ClaimedTask] = []
        self.finished: list[Finish] = []
        self.gate = asyncio.Event()
        self.gate.set()

    async def claim(self, _worker: str, _queues: Mapping[str, int]) -> list[ClaimedTask]:
        taken, self.queued = self.queued, []
        return taken

    async def finish(self, finishes: Sequence[Finish]) -> list[bool]:
        await self.gate.wait()
        self.finished.extend(finishes)
        return [True] * len(finishes)


def task(id_: UUID, attempt: int = 1) -> ClaimedTask:
    return ClaimedTask(
        id=id_,
        attempt=attempt,
        queue="sync",
        group=GroupKey(1, "1"),
        payload={"v": 1},
        schedule_key=None,
        deadline=datetime.now(UTC) + timedelta(hours=1),
        created_at=datetime.now(UTC),
        ready_at=datetime.now(UTC),
        run_timeout=timedelta(hours=1),
    )


class Handler:
    """Runs until it is told to end or is cancelled; then takes its time to clean up."""

    def __init__(self) -> None:
        self.started = asyncio.Event()
        self.clean_up = asyncio.Event()
        self.cleaned: list[int] = []
        self.cancelled: list[UUID] = []

    async def __call__(self, claimed: ClaimedTask) -> Outcome:
        self.started.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            await self.clean_up.wait()
            self.cleaned.append(claimed.attempt)
            raise
        return Succeeded()

    async def tell(self, claimed: ClaimedTask) -> None:
        self.cancelled.append(claimed.id)


def consumer(engine: ScriptedEngine, handler: Handler) -> Any:
    return Consumer(
        engine=cast("Engine", engine),
        worker="w",
        handlers={"sync": handler},
        slots={"sync": 4},
        drain=timedelta(seconds=1),
        after_cancel={"sync": handler.tell},
    )


async def settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def test_a_task_that_must_stop_is_cancelled_once_and_its_end_reported() -> None:
    engine, handler = ScriptedEngine(), Handler()
    worker = consumer(engine, handler)
    one = task(uuid7())
    engine.queued = [one]
    await worker.once()
    await handler.started.wait()
    engine.gate.clear()

    worker._stop_running([one.id])  # noqa: SLF001 (what a beat does)
    await settle()
    worker._stop_running([one.id])  # noqa: SLF001 (the next beat names it again: it is still cleaning up)
    handler.clean_up.set()
    await settle()
    worker._stop_running([one.id])  # noqa: SLF001 (and again while its end is on the way to the engine)
    engine.gate.set()
    await settle()

    assert handler.cleaned == [1]
    assert [(f.attempt, type(f.outcome)) for f in engine.finished] == [(1, Cancelled)]
    assert handler.cancelled == [one.id]
    assert worker.running == 0


async def test_a_task_stopped_before_its_first_step_reports_its_end_and_gives_its_slot_back() -> None:
    engine, handler = ScriptedEngine(), Handler()
    worker = consumer(engine, handler)
    one = task(uuid7())
    reserved = worker._reserve(["sync"])  # noqa: SLF001 (what the engine calls)
    reserved.take([one])

    worker._stop_running([one.id])  # noqa: SLF001 (a beat, before the event loop came to the task)
    await settle()

    assert not handler.started.is_set()
    assert [(f.task_id, f.attempt, type(f.outcome)) for f in engine.finished] == [(one.id, 1, Cancelled)]
    assert handler.cancelled == [one.id]
    assert worker.running == 0
    assert worker._reserve(["sync"]).free == {"sync": 4}  # noqa: SLF001


async def test_a_new_attempt_stops_the_old_one_and_is_not_forgotten_with_it() -> None:
    engine, handler = ScriptedEngine(), Handler()
    worker = consumer(engine, handler)
    id_ = uuid7()
    engine.queued = [task(id_, 1)]
    await worker.once()
    await handler.started.wait()
    engine.queued = [task(id_, 2)]
    await worker.once()
    handler.clean_up.set()
    await settle()

    assert handler.cleaned == [1]
    assert worker.running == 1

    worker._stop_running([id_])  # noqa: SLF001 (what a beat does)
    await settle()
    assert handler.cleaned == [1, 2]
    assert worker.running == 0


async def test_what_a_seat_brought_counts_against_the_slots_and_a_stopped_worker_offers_none() -> None:
    engine, handler = ScriptedEngine(), Handler()
    worker = consumer(engine, handler)
    reserved = worker._reserve(["sync", "other"])  # noqa: SLF001 (what the engine calls)
    assert reserved.free == {"sync": 4}
    assert worker._reserve(["sync"]) is None  # noqa: SLF001 (all slots are kept for the claim under way)
    reserved.take([task(uuid7()) for _ in range(3)])
    again = worker._reserve(["sync"])  # noqa: SLF001
    assert again.free == {"sync": 1}
    again.take([])
    await settle()
    assert worker.running == 3

    await worker.stop()
    assert worker._reserve(["sync"]) is None  # noqa: SLF001
    handler.clean_up.set()
    worker._stop_running([id_ for id_, _ in worker._running])  # noqa: SLF001
    await settle()
    assert worker.running == 0
