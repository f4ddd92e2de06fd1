"""Finishing: many callers, one commit, fenced by attempt; an outage is waited out, and an unseen answer looked up."""

import asyncio
from collections.abc import Callable, Collection, Iterable, Sequence
from uuid import UUID

from dragoman_server.db import Database
from dragoman_server.db.driver import UNAVAILABLE
from dragoman_server.kit.clock import Clock
from dragoman_server.kit.telemetry import get_logger
from dragoman_server.orchestrator.model import ClaimedTask, Finish, TaskResult
from dragoman_server.orchestrator.pg import _store
from dragoman_server.orchestrator.pg._store import Ended
from dragoman_server.orchestrator.states import TaskState, is_final

log = get_logger("orchestrator")

OUTAGE_SECONDS = 60.0


class Finisher:
    """Also remembers what the workers of this process hold, so that a beat can tell them what they lost."""

    def __init__(
        self,
        database: Database,
        *,
        on_ended: Callable[[Sequence[TaskResult], Collection[UUID]], None],
        on_requeued: Callable[[Collection[str]], None],
        on_freed: Callable[[Collection[tuple[str, int]]], None],
        clock: Clock,
    ) -> None:
        self._database = database
        self._on_ended = on_ended
        self._on_requeued = on_requeued
        self._on_freed = on_freed
        self._clock = clock
        self._held: dict[tuple[UUID, int], tuple[str, str, int]] = {}
        self._finishing: set[tuple[UUID, int]] = set()

    def hold(self, worker: str, tasks: Iterable[ClaimedTask]) -> None:
        for task in tasks:
            self._held[task.id, task.attempt] = (worker, task.queue, task.group.environment_id)

    def held(self, worker: str) -> dict[UUID, int]:
        """The attempts that `worker` runs and nobody is finishing."""
        return {i: attempt for (i, attempt), (owner, *_) in self._held.items() if owner == worker}

    def knows(self, task_id: UUID, attempt: int) -> bool:
        """True if somebody here runs or is finishing this attempt."""
        return (task_id, attempt) in self._held or (task_id, attempt) in self._finishing

    async def handle(self, requests: Sequence[Sequence[Finish]]) -> list[list[bool]]:
        """Finish a batch; answer each caller which of its attempts counted."""
        first: dict[tuple[UUID, int], Finish] = {}
        for request in requests:
            for finish in request:
                first.setdefault((finish.task_id, finish.attempt), finish)
        unique = list({f.task_id: f for f in sorted(first.values(), key=lambda f: f.attempt)}.values())
        places = self._let_go(unique)
        self._finishing |= first.keys()
        try:
            ended = await self._commit(unique)
        finally:
            self._finishing -= first.keys()
        self._on_freed(places)
        self._tell(unique, ended, {queue for queue, _ in places})
        counted = {(f.task_id, f.attempt): id(f) for f in unique if f.task_id in ended}
        return [[counted.get((f.task_id, f.attempt)) == id(f) for f in request] for request in requests]

    def _let_go(self, finishes: Sequence[Finish]) -> set[tuple[str, int]]:
        places: set[tuple[str, int]] = set()
        for finish in finishes:
            held = self._held.pop((finish.task_id, finish.attempt), None)
            if held is not None:
                places.add(held[1:])
        return places

    async def _commit(self, finishes: Sequence[Finish]) -> dict[UUID, Ended]:
        give_up = self._clock.monotonic() + OUTAGE_SECONDS
        pause = 0.1
        unsure = False
        while True:
            try:
                async with self._database.connection() as conn:
                    ended = await _store.finish(conn, finishes)
                    missing = [f for f in finishes if f.task_id not in ended]
                    if unsure and missing:
                        ended |= await _store.finished_before(conn, missing)
                    return ended
            except UNAVAILABLE as error:
                if self._clock.monotonic() >= give_up:
                    raise
                log.info("finish_waits", error=type(error).__name__, tasks=len(finishes))
                unsure = True
            await asyncio.sleep(pause)
            pause = min(pause * 2, 2.0)

    def _tell(self, finishes: Sequence[Finish], ended: dict[UUID, Ended], queues: Collection[str]) -> None:
        results = [
            TaskResult(
                task_id=f.task_id,
                state=done.state,
                attempt=f.attempt,
                output=(parts := _store.described(f))[1],
                error=parts[2],
                finished_at=done.finished_at,
            )
            for f in finishes
            if (done := ended.get(f.task_id)) is not None and is_final(done.state)
        ]
        self._on_ended(results, [r.task_id for r in results if not ended[r.task_id].scheduled])
        if any(done.state is TaskState.CREATED for done in ended.values()):
            self._on_requeued(queues)
