"""The engine's port. `PgEngine` is its first implementation; `tests/orchestrator/conformance.py` is part of it.

The port never takes a connection: the engine's database is its own. Whoever must queue a task in the same transaction
as a fact writes an outbox row, and the relay submits it with an idempotency key.
"""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from datetime import timedelta
from typing import Any, Protocol
from uuid import UUID

from dragoman_server.orchestrator.model import (
    ClaimedTask,
    Finish,
    GroupKey,
    ScheduleInfo,
    ScheduleSpec,
    SubmitOutcome,
    TaskResult,
    TaskSpec,
    TriggerOutcome,
)


class Reservation(Protocol):
    """Free slots of a worker, kept for a claim that is under way. `take` is called once, maybe with nothing."""

    @property
    def worker(self) -> str: ...
    @property
    def free(self) -> Mapping[str, int]: ...
    def take(self, tasks: Sequence[ClaimedTask]) -> None: ...


Seat = Callable[[Collection[str]], Reservation | None]
"""Reserves what a worker has free in these lanes; None when that is nothing."""


Abandoned = Callable[[Mapping[int, Collection[UUID]]], Awaitable[None]]
"""Is told of ended tasks by environment."""


class Engine(Protocol):
    """Every time is the engine's own clock's. Every call may raise `DatabaseUnavailableError`-like 503 errors."""

    # -- schedules ---------------------------------------------------------------------------------------------------

    async def upsert_schedules(self, specs: Sequence[ScheduleSpec]) -> None:
        """Create or change schedules. An unchanged one is not written; a changed period keeps the grid's start."""
        ...

    async def set_schedule_state(self, keys: Collection[str], *, paused: bool) -> int:
        """Pause or resume; return how many exist. Resumed, the next run is the next grid point, never a late one."""
        ...

    async def retime(self, key: str, every: timedelta) -> bool:
        """Change the period, keeping the grid's start; False if there is no such schedule."""
        ...

    async def trigger(
        self, keys: Sequence[str], *, payload_extra: Mapping[str, Any] | None = None
    ) -> list[TriggerOutcome]:
        """Run schedules once now, also paused ones; `payload_extra` is laid over the payload of this run only."""
        ...

    async def delete_schedules(self, keys: Collection[str]) -> int:
        """Remove schedules and cancel what they have active; return how many existed."""
        ...

    async def search_schedules(self, keys: Collection[str]) -> list[ScheduleInfo]:
        """Return those that exist, in no order."""
        ...

    # -- those who want something done -------------------------------------------------------------------------------

    async def submit(self, specs: Sequence[TaskSpec]) -> list[SubmitOutcome]:
        """Queue all of `specs` or raise `QueueFullError` and queue none."""
        ...

    async def call(self, spec: TaskSpec, timeout: timedelta) -> tuple[UUID, TaskResult | None]:
        """Submit one task and wait for its end: cheaper than `submit` and `wait`. None after `timeout`."""
        ...

    async def wait(self, task_id: UUID, timeout: timedelta) -> TaskResult | None:
        """Return how the task ended as soon as it has, or None after `timeout`."""
        ...

    async def result(self, task_id: UUID) -> TaskResult | None:
        """Return how the task ended, None while it has not or when its log was dropped."""
        ...

    async def cancel(self, task_ids: Collection[UUID] = (), *, lock_keys: Collection[str] = ()) -> int:
        """End queued tasks at once and ask the workers of started ones to stop; return how many were touched."""
        ...

    # -- those who do it ---------------------------------------------------------------------------------------------

    async def register(self, worker: str, slots: Mapping[str, int]) -> None:
        """Announce a worker and its slots by lane; again when they change. Then beat every two seconds."""
        ...

    def seat(self, worker: str, seat: Seat) -> None:
        """Let what is submitted in this process claim for `worker` at once, until it is unregistered.

        Such a claim is like any other: fair, under the caps, and of whatever is next.
        """
        ...

    async def unregister(self, worker: str) -> None:
        """Say goodbye: what the worker still holds goes back at once."""
        ...

    async def claim(self, worker: str, queues: Mapping[str, int]) -> list[ClaimedTask]:
        """Take up to so many tasks of each lane, fairly and under the caps. Empty means: nothing to take now."""
        ...

    async def wait_for_work(self, queues: Collection[str], timeout: timedelta) -> bool:
        """Return True when something may be ready in one of the lanes, False after `timeout`. Only a hint."""
        ...

    async def beat(self, worker: str) -> frozenset[UUID]:
        """Prolong the worker's lease; return its tasks that must stop: cancelled ones and ones it no longer owns."""
        ...

    async def holds(self, task_id: UUID, attempt: int) -> bool:
        """Say whether this attempt still has the task: nobody ended it, took it back or gave it out again."""
        ...

    async def finish(self, finishes: Sequence[Finish]) -> list[bool]:
        """Record how attempts ended. False means fenced: the task is no longer at that attempt."""
        ...

    def tell_abandoned(self, tell: Abandoned) -> None:
        """Call `tell` with the tasks that loops or calls of this process ended in their worker's place.

        Only a hint: the process may end before it.
        """
        ...

    async def set_cap(self, queue: str, group: GroupKey, max_running: int | None, *, environment_wide: bool) -> None:
        """Set or lift (None) a cap by hand, for one connection or the whole environment."""
        ...
