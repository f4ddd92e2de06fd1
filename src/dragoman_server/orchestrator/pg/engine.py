"""`PgEngine`: the port on Postgres. Concurrent submits share a commit, so do finishes; hints go out after it."""

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from dragoman_server.db import Database
from dragoman_server.db.driver import UNAVAILABLE
from dragoman_server.db.listen import Listener
from dragoman_server.kit.batching import Batcher
from dragoman_server.kit.clock import Clock, SystemClock
from dragoman_server.kit.ids import uuid7
from dragoman_server.kit.loops import Loop, Service
from dragoman_server.kit.telemetry import get_logger
from dragoman_server.orchestrator.loops import Housekeeper, Reaper, Ticker, Vacuum, expire_once, steady
from dragoman_server.orchestrator.model import (
    INTERACTIVE_SUFFIX,
    ClaimedTask,
    Finish,
    GroupKey,
    Interrupted,
    QueueLimits,
    ScheduleInfo,
    ScheduleSpec,
    SubmitOutcome,
    TaskResult,
    TaskSpec,
    TriggerOutcome,
    TriggerStatus,
    lane,
)
from dragoman_server.orchestrator.pg import _store
from dragoman_server.orchestrator.pg._claiming import Claimer
from dragoman_server.orchestrator.pg._finishing import Finisher
from dragoman_server.orchestrator.pg._store import Queued
from dragoman_server.orchestrator.pg._submitting import Submitter, check_schedule, queued
from dragoman_server.orchestrator.pg.hints import DONE, WORK, Announcer, Waiters, WorkBell
from dragoman_server.orchestrator.port import Abandoned, Reservation, Seat

LEASE = timedelta(seconds=6)
BEAT_SECONDS = 2.0
POLL_SECONDS = 1.0
log = get_logger("orchestrator")
_TICK = "!tick"
_STOP = "!stop"


@dataclass(frozen=True, slots=True)
class _Held:
    """A reservation whose tasks the engine knows as held before the worker sees them."""

    inner: Reservation
    finisher: Finisher

    @property
    def worker(self) -> str:
        return self.inner.worker

    @property
    def free(self) -> Mapping[str, int]:
        return self.inner.free

    def take(self, tasks: Sequence[ClaimedTask]) -> None:
        self.finisher.hold(self.inner.worker, tasks)
        self.inner.take(tasks)


class PgEngine:
    """See `port.Engine`. Use it in any process and run `services()` there."""

    def __init__(
        self,
        *,
        database: Database,
        listen_url: str,
        limits: Mapping[str, QueueLimits] | None = None,
        lease: timedelta = LEASE,
        keep_days: int = 7,
        clock: Clock | None = None,
    ) -> None:
        self._database = database
        self._limits = dict(limits or {})
        self._lease = lease
        self._clock = clock or SystemClock()
        self._announcer = Announcer(database)
        self._waiters = Waiters()
        self._bell = WorkBell()
        self._strangers: dict[str, set[tuple[UUID, int]]] = {}
        self._slots: dict[str, dict[str, int]] = {}
        self._hearts: list[Loop] = []
        self._hinted: set[UUID] = set()
        self._polled_at = float("-inf")

        self._vacuum = Vacuum(database)
        self._seats: dict[str, Seat] = {}
        self._abandoned: Abandoned | None = None
        self._claimer = Claimer(database, bell=self._bell, limits=self._limits_of, lease=lease, clock=self._clock)
        self._submitter = Submitter(database, claimer=self._claimer, seats=self._reserve, on_queued=self._ring)
        self._finisher = Finisher(
            database, on_ended=self._on_ended, on_requeued=self._ring, on_freed=self._claimer.freed, clock=self._clock
        )
        self._submits = Batcher(self._submitter.handle, limit=200)
        self._finishes = Batcher(self._finisher.handle, limit=200)
        self._results = Batcher(self._fetch_results, limit=500)

        self._ticker = Ticker(database, on_ready=self._ring)
        self._poll = Loop("results", steady(self._poll_results), POLL_SECONDS)
        self._tick_loop = Loop("tick", steady(self._ticker.once), 1.0)
        self._vacuum_loop = Loop("vacuum", self._vacuum.once, 3600.0)
        self._reaper = Reaper(database, lease=lease, on_ended=self._end_of_others, on_ready=self._ring)
        self._housekeeper = Housekeeper(database, keep_days=keep_days)
        self._listener = Listener(
            listen_url, {WORK: self._hear_work, DONE: self._hear_done}, on_connect=self._on_listening
        )

    # -- living ------------------------------------------------------------------------------------------------------

    def services(self, *, loops: bool = True) -> list[Service]:
        """What must run beside this engine; `loops`: also the tick, reaper, expirer and housekeeping of the cluster.

        Any number of processes may run the loops: each turn is safe beside the others.
        """
        own: list[Service] = [self._announcer, self._listener, self._poll, self._vacuum_loop]
        if not loops:
            return own
        return [
            *own,
            self._tick_loop,
            Loop(
                "reaper",
                steady(self._reaper.once, on_outage=self._reaper.forget),
                min(1.0, self._lease.total_seconds() / 6),
            ),
            Loop("expirer", steady(self._expire), 1.0),
            Loop("housekeeping", self._housekeeper.once, 600.0),
        ]

    def heart(self, worker: str, on_stop: Callable[[frozenset[UUID]], None]) -> Service:
        """Return a service that beats for `worker` and calls `on_stop` with its tasks that must stop."""

        async def once() -> None:
            stop = await self.beat(worker)
            if stop:
                on_stop(stop)

        loop = Loop(f"heart:{worker}", steady(once), BEAT_SECONDS)
        self._hearts.append(loop)
        return loop

    async def turn(self) -> None:
        """Run one turn of each of the cluster's loops, for tests and for processes that run none."""
        await self._ticker.once()
        await self._reaper.once()
        await self._expire()

    # -- schedules ---------------------------------------------------------------------------------------------------

    async def upsert_schedules(self, specs: Sequence[ScheduleSpec]) -> None:
        for spec in specs:
            check_schedule(spec)
        last = list({spec.key: spec for spec in specs}.values())
        async with self._database.connection() as conn:
            for start in range(0, len(last), 1000):
                await _store.upsert_schedules(conn, last[start : start + 1000])
        self._wake_tick()

    async def set_schedule_state(self, keys: Collection[str], *, paused: bool) -> int:
        tag = await self._database.execute(_store.SET_SCHEDULE_STATE, list(keys), paused)
        self._wake_tick()
        return int(tag.rpartition(" ")[2])

    async def retime(self, key: str, every: timedelta) -> bool:
        tag = await self._database.execute(_store.RETIME, key, _store.milliseconds(every))
        self._wake_tick()
        return not tag.endswith(" 0")

    async def trigger(
        self, keys: Sequence[str], *, payload_extra: Mapping[str, Any] | None = None
    ) -> list[TriggerOutcome]:
        extra = None if payload_extra is None else _store.encode(payload_extra)
        rows = await self._database.fetch(_store.TRIGGER, list(keys), extra)
        self._ring({row["queue"] for row in rows if row["made"]})
        status = {None: TriggerStatus.NOT_FOUND, True: TriggerStatus.STARTED, False: TriggerStatus.ALREADY_RUNNING}
        return [TriggerOutcome(row["key"], status[row["made"]], row["task"]) for row in rows]

    async def delete_schedules(self, keys: Collection[str]) -> int:
        locks = [row["lock_key"] for row in await self._database.fetch(_store.DELETE_SCHEDULES, list(keys))]
        if locks:
            await self.cancel(lock_keys=locks)
        return len(locks)

    async def search_schedules(self, keys: Collection[str]) -> list[ScheduleInfo]:
        async with self._database.connection() as conn:
            return await _store.search_schedules(conn, keys)

    # -- those who want something done -------------------------------------------------------------------------------

    async def submit(self, specs: Sequence[TaskSpec]) -> list[SubmitOutcome]:
        if not specs:
            return []
        tasks = [self._queued(spec) for spec in specs]
        return [SubmitOutcome(task_id, created) for task_id, created in await self._submit(tasks)]

    def _queued(self, spec: TaskSpec) -> Queued:
        return queued(uuid7(), spec, self._limits_of(lane(spec.queue, interactive=spec.interactive)))

    async def _submit(self, tasks: list[Queued]) -> list[tuple[UUID, bool]]:
        answer = await self._submits(tasks)
        if isinstance(answer, Exception):
            raise answer
        if any(task.spec.start_after for task in tasks):
            self._wake_tick()
        return answer

    async def call(self, spec: TaskSpec, timeout: timedelta) -> tuple[UUID, TaskResult | None]:
        task = self._queued(spec)
        future = self._waiters.add(task.id)  # its end may be told before the answer to its submission is read
        try:
            task_id, _ = (await self._submit([task]))[0]
            if task_id != task.id:  # an earlier one stands for it, and may have ended
                return task_id, await self.wait(task_id, timeout)
            with suppress(TimeoutError):
                return task_id, await asyncio.wait_for(future, timeout.total_seconds())
            return task_id, None
        finally:
            self._waiters.remove(task.id, future)

    async def wait(self, task_id: UUID, timeout: timedelta) -> TaskResult | None:
        future = self._waiters.add(task_id)  # before looking, so that an end between look and wait is not missed
        try:
            with suppress(*UNAVAILABLE):  # an outage is waited out: the poll looks again
                found = await self.result(task_id)
                if found is not None:
                    return found
            return await asyncio.wait_for(future, timeout.total_seconds())
        except TimeoutError:
            return None
        finally:
            self._waiters.remove(task_id, future)

    async def result(self, task_id: UUID) -> TaskResult | None:
        return await self._results(task_id)

    async def cancel(self, task_ids: Collection[UUID] = (), *, lock_keys: Collection[str] = ()) -> int:
        rows = await self._database.fetch(_store.CANCEL, list(task_ids), list(lock_keys))
        await self._end_of_others([row["task"] for row in rows if row["ended"]])
        if not all(row["ended"] for row in rows):
            self._stop_hint()
            self._announcer.say(WORK, [_STOP])
        return len(rows)

    # -- those who do it ---------------------------------------------------------------------------------------------

    async def register(self, worker: str, slots: Mapping[str, int]) -> None:
        self._slots[worker] = dict(slots)
        await self.beat(worker)

    def seat(self, worker: str, seat: Seat) -> None:
        self._seats[worker] = seat

    def _reserve(self, lanes: Collection[str]) -> Reservation | None:
        reserved = next((found for seat in self._seats.values() if (found := seat(lanes)) is not None), None)
        return None if reserved is None else _Held(reserved, self._finisher)

    async def unregister(self, worker: str) -> None:
        self._seats.pop(worker, None)
        self._slots.pop(worker, None)
        self._claimer.forget(worker)
        self._hearts = [h for h in self._hearts if h.name != f"heart:{worker}"]
        await self._database.execute(_store.UNREGISTER, worker)

    async def claim(self, worker: str, queues: Mapping[str, int]) -> list[ClaimedTask]:
        taken = await self._claimer.claim(worker, queues)
        self._finisher.hold(worker, taken)
        return taken

    async def wait_for_work(self, queues: Collection[str], timeout: timedelta) -> bool:
        return await self._bell.wait(queues, min(timeout.total_seconds(), POLL_SECONDS))

    async def beat(self, worker: str) -> frozenset[UUID]:
        before = self._finisher.held(worker)
        async with self._database.connection() as conn:
            owned = await _store.beat(conn, worker, self._slots.get(worker, {}))
        after = self._finisher.held(worker)
        lost = {i for i, n in before.items() if after.get(i) == n and owned.get(i, (0, False))[0] != n}
        await self._give_back(worker, {(i, n) for i, (n, _) in owned.items() if not self._finisher.knows(i, n)})
        return frozenset(lost | {i for i, (_, cancelled) in owned.items() if cancelled})

    async def _give_back(self, worker: str, strangers: set[tuple[UUID, int]]) -> None:
        """Return tasks claimed for `worker` whose answer never reached it: unknown here at two beats in a row."""
        again = strangers & self._strangers.pop(worker, set())
        if self._claimer.claiming(worker):
            return
        self._strangers[worker] = strangers - again
        await self.finish([Finish(i, n, Interrupted("The claim's answer was lost.")) for i, n in again])

    async def holds(self, task_id: UUID, attempt: int) -> bool:
        return bool(await self._database.fetchval(_store.HOLDS, task_id, attempt))

    async def finish(self, finishes: Sequence[Finish]) -> list[bool]:
        answers = await self._finishes(list(finishes)) if finishes else []
        if self._vacuum.note(sum(answers)):
            self._vacuum_loop.wake()
        return answers

    async def set_cap(self, queue: str, group: GroupKey, max_running: int | None, *, environment_wide: bool) -> None:
        connection = None if environment_wide else group.connection
        if max_running is None:
            await self._database.execute(_store.LIFT_CAP, queue, group.environment_id, connection)
        else:
            await self._database.execute(_store.SET_CAP, queue, group.environment_id, connection, max_running)
        self._claimer.forget()
        self._ring([queue])

    # -- hints and results -------------------------------------------------------------------------------------------

    def _limits_of(self, queue: str) -> QueueLimits:
        return self._limits.get(queue) or self._limits.get(queue.removesuffix(INTERACTIVE_SUFFIX)) or QueueLimits()

    def _ring(self, queues: Collection[str]) -> None:
        self._bell.ring(queues)
        self._announcer.say(WORK, queues)

    def _wake_tick(self) -> None:
        self._tick_loop.wake()
        self._announcer.say(WORK, [_TICK])

    def _stop_hint(self) -> None:
        for heart in self._hearts:
            heart.wake()

    def _hear_work(self, payload: str) -> None:
        tokens = self._announcer.heard(payload)
        if _TICK in tokens:
            self._tick_loop.wake()
        if _STOP in tokens:
            self._stop_hint()
        self._bell.ring(tokens)

    def _hear_done(self, payload: str) -> None:
        heard = {i for i in map(UUID, self._announcer.heard(payload)) if i in self._waiters}
        if heard:
            self._hinted |= heard
            self._poll.wake()

    def _on_listening(self) -> None:
        self._polled_at = float("-inf")
        self._poll.wake()
        self._bell.ring_all()
        self._tick_loop.wake()

    def _say_done(self, ids: Collection[UUID]) -> None:
        heard = {i for i in ids if i in self._waiters}
        if heard:
            self._hinted |= heard
            self._poll.wake()
        self._announcer.say(DONE, [i.hex for i in ids])

    def tell_abandoned(self, tell: Abandoned) -> None:
        self._abandoned = tell

    async def _end_of_others(self, ids: Collection[UUID]) -> None:
        """Tasks ended that no worker reports."""
        self._say_done(ids)
        if not ids or self._abandoned is None:
            return
        try:
            async with self._database.connection() as conn:
                whose = await _store.ended_for(conn, list(ids))
            found: dict[int, list[UUID]] = {}
            for task_id, environment_id in whose.items():
                found.setdefault(environment_id, []).append(task_id)
            await self._abandoned(found)
        except Exception as error:  # a hint: whoever must know of an end looks for himself, later
            log.warning("end_not_told", error=type(error).__name__)

    def _on_ended(self, results: Sequence[TaskResult], announced: Collection[UUID]) -> None:
        here = {result.task_id for result in results if self._waiters.resolve(result)}
        self._announcer.say(DONE, [i.hex for i in announced if i not in here])

    async def _poll_results(self) -> None:
        hinted, self._hinted = self._hinted, set()
        if self._clock.monotonic() - self._polled_at >= POLL_SECONDS * 0.9:
            hinted = set(self._waiters.ids())
            self._polled_at = self._clock.monotonic()
        if not hinted:
            return
        async with self._database.connection() as conn:
            found = await _store.results(conn, list(hinted))
        for result in found.values():
            self._waiters.resolve(result)

    async def _fetch_results(self, ids: Sequence[UUID]) -> list[TaskResult | None]:
        async with self._database.connection() as conn:
            found = await _store.results(conn, list(set(ids)))
        return [found.get(i) for i in ids]

    async def _expire(self) -> float | None:
        return await expire_once(self._database, on_ended=self._end_of_others)
