"""The worker's end of the engine: claims what it has slots for, beats, stops what must stop, reports the ends."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from datetime import timedelta
from uuid import UUID

from dragoman_server.kit.batching import Batcher
from dragoman_server.kit.errors import DragomanError
from dragoman_server.kit.telemetry import get_logger
from dragoman_server.orchestrator.model import Cancelled, ClaimedTask, Failed, Finish, Interrupted, Outcome
from dragoman_server.orchestrator.port import Engine

log = get_logger("jobs")

Handler = Callable[[ClaimedTask], Awaitable[Outcome]]

BEAT_SECONDS = 2.0
POLL = timedelta(seconds=1)
RETRY_SECONDS = 1.0
FINISH_TRIES = 60


class Consumer:
    """One worker. `handlers` are by lane; `slots` say how many of each lane run here at once."""

    def __init__(
        self,
        *,
        engine: Engine,
        worker: str,
        handlers: Mapping[str, Handler],
        slots: Mapping[str, int],
        drain: timedelta,
    ) -> None:
        self._engine = engine
        self._worker = worker
        self._handlers = handlers
        self._slots = slots
        self._drain = drain
        self._running: dict[UUID, asyncio.Task[None]] = {}
        self._lanes: Counter[str] = Counter()
        self._freed = asyncio.Event()
        self._stopping = asyncio.Event()
        self._finish = Batcher(engine.finish, limit=200)

    @property
    def running(self) -> int:
        """Tasks under way here."""
        return len(self._running)

    async def run(self) -> None:
        await self._register()
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
        free = {lane: n - self._lanes[lane] for lane, n in self._slots.items() if n > self._lanes[lane]}
        self._freed.clear()
        if free:
            tasks = await self._engine.claim(self._worker, free)
            for task in tasks:
                self._start(task)
            if tasks:
                return
        await self._wait(free)

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
        self._lanes[task.queue] += 1
        self._running[task.id] = asyncio.create_task(self._carry_out(task), name=f"{task.queue}:{task.id}")

    async def _carry_out(self, task: ClaimedTask) -> None:
        try:
            outcome = await self._outcome(task)
            await self._report(Finish(task.id, task.attempt, outcome))
        finally:
            self._running.pop(task.id, None)
            self._lanes[task.queue] -= 1
            self._freed.set()

    async def _outcome(self, task: ClaimedTask) -> Outcome:
        try:
            return await self._handlers[task.queue](task)
        except asyncio.CancelledError:
            return Interrupted("shutdown") if self._stopping.is_set() else Cancelled()
        except DragomanError as error:
            log.warning("task_failed", task_id=str(task.id), code=error.public_code)
            return Failed({"code": error.public_code, "message": error.message, "status": error.status})
        except Exception as error:  # foreign code and lost databases: the task failed, the worker lives
            log.exception("task_crashed", task_id=str(task.id), error=type(error).__name__)
            return Failed({"code": "script_internal_error", "message": "The platform failed.", "status": 500})

    async def _report(self, finish: Finish) -> None:
        """Tell the engine, through an outage; a fenced report is dropped: somebody else has the task now."""
        for _ in range(FINISH_TRIES):
            try:
                if not await self._finish(finish):
                    log.info("finish_fenced", task_id=str(finish.task_id), attempt=finish.attempt)
                return
            except Exception as error:  # the engine's database may be away
                log.warning("finish_failed", task_id=str(finish.task_id), error=type(error).__name__)
                await asyncio.sleep(RETRY_SECONDS)

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
                for task_id in await self._engine.beat(self._worker):
                    running = self._running.get(task_id)
                    if running is not None:
                        running.cancel()
            except Exception as error:  # a missed beat is mended by the next one
                log.warning("beat_failed", error=type(error).__name__)

    async def _drain_running(self) -> None:
        """Let what runs finish for a while, then interrupt it: it goes back to the queue or ends as interrupted."""
        if self._running:
            await asyncio.wait(list(self._running.values()), timeout=self._drain.total_seconds())
        for running in list(self._running.values()):
            running.cancel()
        if self._running:
            await asyncio.wait(list(self._running.values()), timeout=5.0)
        with suppress(TimeoutError):
            await asyncio.wait_for(self._finish.drain(), 5.0)

    async def _pause(self, seconds: float) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), seconds)
