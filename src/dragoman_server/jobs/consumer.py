"""The worker's end of the engine: claims what it has slots for, beats, stops what must stop, reports the ends."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from uuid import UUID

from dragoman_server.db.driver import UNAVAILABLE
from dragoman_server.kit.batching import Batcher
from dragoman_server.kit.errors import DragomanError
from dragoman_server.kit.telemetry import get_logger
from dragoman_server.orchestrator.model import Cancelled, ClaimedTask, Failed, Finish, Interrupted, Outcome
from dragoman_server.orchestrator.port import Engine, Reservation

log = get_logger("jobs")

Handler = Callable[[ClaimedTask], Awaitable[Outcome]]

BEAT_SECONDS = 2.0
POLL = timedelta(seconds=1)
RETRY_SECONDS = 1.0
FINISH_TRIES = 60


class Reserved:
    """Slots kept for a claim under way; see `orchestrator.port.Reservation`."""

    def __init__(self, consumer: "Consumer", worker: str, free: Mapping[str, int]) -> None:
        self.worker = worker
        self.free = free
        self._consumer = consumer
        consumer.reserve(free)

    def take(self, tasks: Sequence[ClaimedTask]) -> None:
        self._consumer.receive(self.free, tasks)


class Consumer:
    """One worker. `handlers` are by lane; `slots` say how many of each lane run here at once.

    `after_cancel`, by lane, is told of a task that was stopped on request, once the engine has it as cancelled.
    """

    def __init__(
        self,
        *,
        engine: Engine,
        worker: str,
        handlers: Mapping[str, Handler],
        slots: Mapping[str, int],
        drain: timedelta,
        after_cancel: Mapping[str, Callable[[ClaimedTask], Awaitable[None]]] | None = None,
    ) -> None:
        self._engine = engine
        self._worker = worker
        self._handlers = handlers
        self._slots = slots
        self._drain = drain
        self._after_cancel = dict(after_cancel or {})
        self._running: dict[tuple[UUID, int], asyncio.Task[None]] = {}
        self._begun: set[tuple[UUID, int]] = set()
        self._stopped: set[tuple[UUID, int]] = set()
        self._lanes: Counter[str] = Counter()
        self._reserved: Counter[str] = Counter()
        self._denied = False
        """The last look found slots taken by a claim under way elsewhere: it must look again after that."""
        self._freed = asyncio.Event()
        self._stopping = asyncio.Event()
        self._finish = Batcher(engine.finish, limit=200)

    @property
    def running(self) -> int:
        """Tasks under way here."""
        return len(self._running)

    async def run(self) -> None:
        await self._register()
        self._engine.seat(self._worker, self._reserve)
        beating = asyncio.create_task(self._beat())
        try:
            while not self._stopping.is_set():
                try:
                    await self.once()
                except Exception as error:  # the engine's database may be away; what runs goes on
                    log.warning("claim_failed", error=type(error).__name__)
                    await self._pause(RETRY_SECONDS)
        finally:
            await self._drain_running()
            beating.cancel()
            with suppress(asyncio.CancelledError):
                await beating
            with suppress(Exception):  # saying goodbye is a courtesy: the reaper finds out by itself
                await self._engine.unregister(self._worker)

    async def stop(self) -> None:
        self._stopping.set()
        self._freed.set()

    async def once(self) -> None:
        """Claim what there is room for; with nothing to claim, wait for a hint, a free slot, or a second."""
        free = self._free(self._slots)
        self._denied = any(self._reserved.values())
        self._freed.clear()
        if free:
            reserved = Reserved(self, self._worker, free)
            tasks: Sequence[ClaimedTask] = ()
            try:
                tasks = await self._engine.claim(self._worker, free)
            finally:
                reserved.take(tasks)
            if tasks:
                return
        await self._wait(free)

    def _free(self, lanes: Collection[str]) -> dict[str, int]:
        left = {lane: self._slots.get(lane, 0) - self._lanes[lane] - self._reserved[lane] for lane in lanes}
        return {lane: n for lane, n in left.items() if n > 0}

    def _reserve(self, lanes: Collection[str]) -> Reservation | None:
        """What the engine may claim for us beside a submission."""
        free = {} if self._stopping.is_set() else self._free(lanes)
        return Reserved(self, self._worker, free) if free else None

    def reserve(self, free: Mapping[str, int]) -> None:
        self._reserved.update(free)

    def receive(self, free: Mapping[str, int], tasks: Sequence[ClaimedTask]) -> None:
        """A claim that had `free` reserved was answered."""
        self._reserved.subtract(free)
        for task in tasks:
            self._start(task)
        if self._denied or self._stopping.is_set():
            self._freed.set()

    async def _wait(self, free: Mapping[str, int]) -> None:
        freed = asyncio.create_task(self._freed.wait())
        waiting: set[asyncio.Task[bool]] = {freed}
        if free:
            waiting.add(asyncio.create_task(self._engine.wait_for_work(list(free), POLL)))
        done, pending = await asyncio.wait(waiting, timeout=POLL.total_seconds(), return_when=asyncio.FIRST_COMPLETED)
        for one in pending:
            one.cancel()
        for one in done:
            one.result()

    def _start(self, task: ClaimedTask) -> None:
        self._stop_running([task.id])  # an older attempt that was taken from us while we were away
        self._lanes[task.queue] += 1
        self._running[task.id, task.attempt] = asyncio.create_task(
            self._carry_out(task), name=f"{task.queue}:{task.id}"
        )

    async def _carry_out(self, task: ClaimedTask) -> None:
        place = task.id, task.attempt
        self._begun.add(place)
        try:
            outcome = self._stop_outcome() if place in self._stopped else await self._outcome(task)
            if await self._report(Finish(task.id, task.attempt, outcome)) and isinstance(outcome, Cancelled):
                await self._tell_cancelled(task)
        finally:
            self._begun.discard(place)
            self._stopped.discard(place)
            self._running.pop(place, None)
            was_full = not self._free([task.queue])
            self._lanes[task.queue] -= 1
            if was_full or self._stopping.is_set():  # else the loop waits for work of this lane already
                self._freed.set()

    async def _outcome(self, task: ClaimedTask) -> Outcome:
        try:
            return await self._handlers[task.queue](task)
        except asyncio.CancelledError:
            return self._stop_outcome()
        except DragomanError as error:
            log.warning("task_failed", task_id=str(task.id), code=error.public_code)
            return Failed({"code": error.public_code, "message": error.message, "status": error.status})
        except UNAVAILABLE as error:  # the database stayed away: how far it came is not known, so it is not a failure
            log.warning("task_interrupted", task_id=str(task.id), error=type(error).__name__)
            return Interrupted("database_away")
        except Exception as error:  # foreign code: the task failed, the worker lives
            log.exception("task_crashed", task_id=str(task.id), error=type(error).__name__)
            return Failed({"code": "script_internal_error", "message": "The platform failed.", "status": 500})

    def _stop_outcome(self) -> Outcome:
        return Interrupted("shutdown") if self._stopping.is_set() else Cancelled()

    async def _tell_cancelled(self, task: ClaimedTask) -> None:
        tell = self._after_cancel.get(task.queue)
        if tell is not None:
            try:
                await tell(task)
            except Exception as error:  # the task has ended; what is written about it must not end the worker
                log.warning("cancel_not_noted", task_id=str(task.id), error=type(error).__name__)

    async def _report(self, finish: Finish) -> bool:
        """Tell the engine, through an outage; False: the report was fenced, somebody else has the task now."""
        for _ in range(FINISH_TRIES):
            try:
                counted = await self._finish(finish)
                if not counted:
                    log.info("finish_fenced", task_id=str(finish.task_id), attempt=finish.attempt)
                return counted
            except Exception as error:  # the engine's database may be away
                log.warning("finish_failed", task_id=str(finish.task_id), error=type(error).__name__)
                await asyncio.sleep(RETRY_SECONDS)
        return False

    async def _register(self) -> None:
        while not self._stopping.is_set():
            try:
                await self._engine.register(self._worker, dict(self._slots))
                return
            except Exception as error:  # not there yet: try until it is
                log.warning("register_failed", error=type(error).__name__)
                await self._pause(RETRY_SECONDS)

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(BEAT_SECONDS)
            try:
                self._stop_running(await self._engine.beat(self._worker))
            except Exception as error:  # a missed beat is mended by the next one
                log.warning("beat_failed", error=type(error).__name__)

    def _stop_running(self, task_ids: Collection[UUID]) -> None:
        """Stop each attempt once: a second cancellation would interrupt how it ends its guest and reports its end.

        One that has not begun is only marked: cancelled before its first step, it would never report its end nor give
        its slot back.
        """
        for place, running in self._running.items():
            if place[0] in task_ids and place not in self._stopped:
                self._stopped.add(place)
                if place in self._begun:
                    running.cancel()

    async def _drain_running(self) -> None:
        """Let what runs finish for a while, then interrupt it: it goes back to the queue or ends as interrupted."""
        with suppress(TimeoutError):
            async with asyncio.timeout(self._drain.total_seconds()):
                while any(self._reserved.values()):  # a claim under way may still bring something
                    self._freed.clear()
                    await self._freed.wait()
        if self._running:
            await asyncio.wait(list(self._running.values()), timeout=self._drain.total_seconds())
        self._stop_running([task_id for task_id, _ in self._running])
        if self._running:
            await asyncio.wait(list(self._running.values()), timeout=5.0)
        with suppress(TimeoutError):
            await asyncio.wait_for(self._finish.drain(), 5.0)

    async def _pause(self, seconds: float) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), seconds)
