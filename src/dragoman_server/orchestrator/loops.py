"""Background work, each one turn at a time: tick, reaper, expirer, vacuum, housekeeping. Any number may run at once."""

from collections.abc import Awaitable, Callable, Collection
from datetime import timedelta
from uuid import UUID

from dragoman_server.db import Database
from dragoman_server.db.driver import UNAVAILABLE, LockNotAvailableError
from dragoman_server.kit.telemetry import get_logger
from dragoman_server.orchestrator.pg import _store
from dragoman_server.orchestrator.rules import Patience
from dragoman_server.orchestrator.states import TaskState, is_final

log = get_logger("orchestrator")

BATCH = 1000
SHORTEST_TICK_SECONDS = 0.1
LONGEST_TICK_SECONDS = 1.0
OUTAGE_PAUSE_SECONDS = 0.5
NEVER = timedelta(days=36_500)
GRACE = timedelta(seconds=5)
"""How long after its deadline a run is ended for its worker, which should have done so itself."""

KEEP_SUBMISSIONS = timedelta(days=7)
VACUUM_AFTER_FINISHES = 4000


def steady(
    once: Callable[[], Awaitable[float | None]], *, on_outage: Callable[[], None] | None = None
) -> Callable[[], Awaitable[float | None]]:
    """Wrap a turn so that a lost database is tried again soon, without the loop's growing pauses."""

    async def turn() -> float | None:
        try:
            return await once()
        except UNAVAILABLE as error:
            log.info("database_away", error=type(error).__name__)
            if on_outage is not None:
                on_outage()
            return OUTAGE_PAUSE_SECONDS

    return turn


class Ticker:
    """Starts what is due and sleeps to the next due time."""

    def __init__(self, database: Database, *, on_ready: Callable[[Collection[str]], None]) -> None:
        self._database = database
        self._on_ready = on_ready

    async def once(self) -> float | None:
        async with self._database.connection() as conn:
            ticked = await _store.tick(conn, BATCH)
        if ticked.queues:
            self._on_ready(set(ticked.queues))
        if max(ticked.due, ticked.promoted) >= BATCH:
            return 0.0
        if ticked.next_at is None:
            return LONGEST_TICK_SECONDS
        wait = (ticked.next_at - ticked.now).total_seconds()
        return min(max(wait, SHORTEST_TICK_SECONDS), LONGEST_TICK_SECONDS)


class Reaper:
    """Takes back the tasks of dead workers and ends runs past their deadline.

    Until it has watched for a lease it trusts no silence; what a worker that is unregistered left goes back at once.
    """

    def __init__(
        self,
        database: Database,
        *,
        lease: timedelta,
        on_ended: Callable[[Collection[UUID]], Awaitable[None]],
        on_ready: Callable[[Collection[str]], None],
    ) -> None:
        self._database = database
        self._lease = lease
        self._patience = Patience(lease)
        self._on_ended = on_ended
        self._on_ready = on_ready

    def forget(self) -> None:
        """The database was away: whoever was silent may have been unable to beat."""
        self._patience.forget()

    async def once(self) -> float | None:
        async with self._database.connection() as conn:
            trusts = self._patience.watched_long_enough(await conn.fetchval(_store.NOW))
            silence, overdue = (self._lease, GRACE) if trusts else (NEVER, NEVER)
            rows = await conn.fetch(_store.REAP, silence, overdue, BATCH)
        states = [(row["task"], TaskState(row["state"]), row["queue"]) for row in rows]
        self._on_ready({queue for _, state, queue in states if state is TaskState.CREATED})
        await self._on_ended([task for task, state, _ in states if is_final(state)])
        if states:
            log.warning("tasks_taken_back", count=len(states), states=sorted({str(s) for _, s, _ in states}))
        return 0.0 if len(rows) >= BATCH else None


async def expire_once(database: Database, *, on_ended: Callable[[Collection[UUID]], Awaitable[None]]) -> float | None:
    """End queued tasks that were not started in time."""
    rows = await database.fetch(_store.EXPIRE, BATCH)
    await on_ended([row["task"] for row in rows])
    return 0.0 if len(rows) >= BATCH else None


class Vacuum:
    """Vacuums the hot table every few thousand finishes of this process: autovacuum comes too late for it."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._finished = 0

    def note(self, finished: int) -> bool:
        """Count finishes; True when a vacuum is due."""
        self._finished += finished
        return self._finished >= VACUUM_AFTER_FINISHES

    async def once(self) -> float | None:
        if self._finished < VACUUM_AFTER_FINISHES:
            return None
        self._finished = 0
        await self._database.execute(_store.VACUUM_TASKS)
        return None


class Housekeeper:
    """Makes the log's partitions ahead, drops old ones, forgets old idempotency keys and workers long gone."""

    def __init__(self, database: Database, *, keep_days: int) -> None:
        self._database = database
        self._keep_days = keep_days

    async def once(self) -> float | None:
        try:
            await self._database.execute(_store.MAKE_PARTITIONS, 3)
            await self._database.execute(_store.DROP_PARTITIONS, self._keep_days)
        except LockNotAvailableError:
            return 30.0  # a long reader is in the way
        await self._database.execute(_store.FORGET_WORKERS)
        tag = await self._database.execute(_store.PURGE_SUBMISSIONS, KEEP_SUBMISSIONS, 5000)
        return 0.0 if tag.endswith(" 5000") else None
