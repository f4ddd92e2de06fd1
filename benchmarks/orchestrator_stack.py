"""What the orchestrator's benchmarks share: a scratch cluster with fsync on, an engine, and a meter of CPU."""

import asyncio
import shutil
import tempfile
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from benchmarks.process_tree import cpu_seconds
from dragoman_server.db import Database
from dragoman_server.db.driver import connect
from dragoman_server.db.embedded import EmbeddedPostgres
from dragoman_server.db.migrate import migrate
from dragoman_server.orchestrator.model import ClaimedTask, Finish, QueueLimits, Succeeded
from dragoman_server.orchestrator.pg import PgEngine


@dataclass
class Bench:
    server: EmbeddedPostgres
    url: str
    database: Database
    engine: PgEngine

    def cpu_seconds(self) -> tuple[float, float]:
        """CPU used so far by this process, and by Postgres with its dead children."""
        assert self.server.pid is not None
        return time.process_time(), cpu_seconds(self.server.pid)


@asynccontextmanager
async def bench(
    *, limits: Mapping[str, QueueLimits] | None = None, settings: dict[str, str] | None = None, loops: bool = True
) -> AsyncGenerator[Bench, None]:
    """Start everything on a scratch cluster with the product's own settings; leave nothing behind."""
    folder = Path(tempfile.mkdtemp(prefix="dgb-", dir="/tmp"))
    folder.chmod(0o755)  # noqa: ASYNC240
    server = EmbeddedPostgres(folder / "pg", settings=settings)
    try:
        server.start()
        raw = await connect(server.url("postgres"))
        for name in ("main", "orchestrator"):
            await raw.execute(f"CREATE DATABASE {name}")
        await raw.close()
        url = server.url("orchestrator")
        await migrate(url, ["dragoman_server.orchestrator"])
        database = Database(url, max_size=10)
        await database.open()
        engine = PgEngine(database=database, listen_url=url, limits=limits)
        services = engine.services(loops=loops)
        async with asyncio.TaskGroup() as group:
            running = [group.create_task(s.run()) for s in services]
            try:
                yield Bench(server, url, database, engine)
            finally:
                for service in services:
                    await service.stop()
                await asyncio.wait(running, timeout=5)
                for task in running:
                    task.cancel()
        await database.close()
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


class Worker:
    """The smallest consumer: claims while it has slots, runs `handler`, finishes in batches."""

    def __init__(
        self,
        engine: PgEngine,
        name: str,
        slots: Mapping[str, int],
        handler: Callable[[ClaimedTask], Awaitable[bytes | None]],
    ) -> None:
        self._engine, self._name, self._slots, self._handler = engine, name, dict(slots), handler
        self._free = dict(slots)
        self._freed = asyncio.Event()
        self._stopping = False
        self._tasks: set[asyncio.Task[None]] = set()
        self.done = 0

    async def run(self) -> None:
        await self._engine.register(self._name, self._slots)
        heart = self._engine.heart(self._name, lambda _: None)
        beating = asyncio.create_task(heart.run())
        while not self._stopping:
            self._freed.clear()
            free = {q: n for q, n in self._free.items() if n > 0}
            claimed = await self._engine.claim(self._name, free) if free else []
            for task in claimed:
                self._free[task.queue] -= 1
                running = asyncio.create_task(self._one(task))
                self._tasks.add(running)
                running.add_done_callback(self._tasks.discard)
            if claimed:
                continue
            hint = asyncio.create_task(self._engine.wait_for_work(self._slots, self._second))
            freed = asyncio.create_task(self._freed.wait())
            await asyncio.wait([hint, freed], return_when=asyncio.FIRST_COMPLETED)
            hint.cancel()
            freed.cancel()
        await heart.stop()
        await beating
        for task in list(self._tasks):
            task.cancel()

    @property
    def _second(self) -> timedelta:
        return timedelta(seconds=1)

    async def _one(self, task: ClaimedTask) -> None:
        output = await self._handler(task)
        await self._engine.finish([Finish(task.id, task.attempt, Succeeded(output))])
        self.done += 1
        self._free[task.queue] += 1
        self._freed.set()

    def stop(self) -> None:
        self._stopping = True
        self._freed.set()
