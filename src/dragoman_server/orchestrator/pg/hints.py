"""Hints between processes: NOTIFY after the commit, coalesced. Losing one costs a second, never a task."""

import asyncio
from collections.abc import Collection, Iterable
from uuid import UUID

from dragoman_server.db import Database
from dragoman_server.db.driver import UNAVAILABLE, PostgresError
from dragoman_server.kit.ids import random_token
from dragoman_server.kit.telemetry import get_logger
from dragoman_server.orchestrator.model import TaskResult
from dragoman_server.orchestrator.pg._store import NOTIFY

log = get_logger("orchestrator")

WORK = "dragoman_work"
DONE = "dragoman_done"
_ROOM = 7000  # a payload holds 8000 bytes


def packed(origin: str, tokens: Iterable[str]) -> list[str]:
    """Join tokens with commas into payloads that Postgres takes, each led by who says it."""
    payloads: list[str] = []
    line = [origin]
    size = len(origin)
    for token in tokens:
        if size + len(token.encode()) + 1 > _ROOM:
            payloads.append(",".join(line))
            line, size = [origin], len(origin)
        line.append(token)
        size += len(token.encode()) + 1
    if len(line) > 1:
        payloads.append(",".join(line))
    return payloads


class Announcer:
    """A service that sends what was said since its last statement, in one statement a channel."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._pending: dict[str, dict[str, None]] = {}
        self._said = asyncio.Event()
        self._stopping = False
        self._origin = random_token(bytes_=6)

    def say(self, channel: str, tokens: Collection[str]) -> None:
        """Send `tokens` soon. Call after the commit."""
        if tokens:
            self._pending.setdefault(channel, {}).update(dict.fromkeys(tokens))
            self._said.set()

    def heard(self, payload: str) -> list[str]:
        """Return what another process said; nothing for our own echo."""
        origin, *tokens = payload.split(",")
        return [] if origin == self._origin else tokens

    async def once(self) -> None:
        """Send everything said so far."""
        pending, self._pending = self._pending, {}
        for channel, tokens in pending.items():
            await self._database.execute(NOTIFY, channel, packed(self._origin, tokens))

    async def run(self) -> None:
        while not self._stopping:
            await self._said.wait()
            self._said.clear()
            try:
                await self.once()
            except (*UNAVAILABLE, PostgresError) as error:
                log.info("hints_lost", error=type(error).__name__)

    async def stop(self) -> None:
        self._stopping = True
        self._said.set()


class Waiters:
    """Futures of those who wait for a result, by task."""

    def __init__(self) -> None:
        self._futures: dict[UUID, set[asyncio.Future[TaskResult]]] = {}

    def __contains__(self, task_id: UUID) -> bool:
        return task_id in self._futures

    def ids(self) -> list[UUID]:
        return list(self._futures)

    def add(self, task_id: UUID) -> "asyncio.Future[TaskResult]":
        future: asyncio.Future[TaskResult] = asyncio.get_running_loop().create_future()
        self._futures.setdefault(task_id, set()).add(future)
        return future

    def remove(self, task_id: UUID, future: "asyncio.Future[TaskResult]") -> None:
        futures = self._futures.get(task_id)
        if futures is not None:
            futures.discard(future)
            if not futures:
                del self._futures[task_id]

    def resolve(self, result: TaskResult) -> bool:
        """Tell those who wait here; False: nobody does."""
        waiting = self._futures.pop(result.task_id, ())
        for future in waiting:
            if not future.done():
                future.set_result(result)
        return bool(waiting)


class WorkBell:
    """Tells claimers of this process that a lane may have work; a hint between a claim and the wait is not missed."""

    def __init__(self) -> None:
        self._rung: set[str] = set()
        self._sleepers: dict[asyncio.Future[bool], frozenset[str]] = {}

    def ring(self, queues: Iterable[str]) -> None:
        queues = frozenset(queues)
        self._rung |= queues
        for future, wanted in self._sleepers.items():
            if not future.done() and wanted & queues:
                future.set_result(True)

    def ring_all(self) -> None:
        """Anything may have happened: wake everyone."""
        for future, wanted in self._sleepers.items():
            self._rung |= wanted
            if not future.done():
                future.set_result(True)

    def quiet(self, queues: Iterable[str]) -> frozenset[str]:
        """A claim is about to look at these lanes: return those rung since the last look."""
        rung = self._rung.intersection(queues)
        self._rung -= rung
        return frozenset(rung)

    async def wait(self, queues: Collection[str], seconds: float) -> bool:
        wanted = frozenset(queues)
        if wanted & self._rung:
            return True
        future: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._sleepers[future] = wanted
        try:
            return await asyncio.wait_for(future, seconds)
        except TimeoutError:
            return False
        finally:
            del self._sleepers[future]
