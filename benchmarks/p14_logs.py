"""P14: ingest of log rows; search in a million rows while 5,000 a second come in, in the open day and across midnight.

Targets: >= 20k rows/s; newest page <= 20 ms, rare word <= 50 ms, no match <= 50 ms.
"""

import asyncio
import os
import random
import shutil
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from benchmarks.result import Result
from benchmarks.rig import Size, benchmark
from dragoman_server.db import Database
from dragoman_server.db.embedded import EmbeddedPostgres
from dragoman_server.db.migrate import migrate
from dragoman_server.kit.clock import ManualClock
from dragoman_server.kit.ids import EnvironmentId
from dragoman_server.logs import Logs, OperationFilter

ENVIRONMENTS = 10
MESSAGES = 4
WORDS = (
    "sync",
    "page",
    "record",
    "fetched",
    "issue",
    "customer",
    "refreshed",
    "retry",
    "upstream",
    "saved",
    "batch",
    "cursor",
)
MIDNIGHT = datetime(2030, 1, 2, tzinfo=UTC)


def write(logs: Logs, rows: int, chance: random.Random, *, rare: str | None = None) -> int:
    """Buffer about `rows` rows, a fifth of them operations; `rare` is said once, in the middle."""
    operations = rows // (MESSAGES + 1)
    for number in range(operations):
        environment = EnvironmentId(number % ENVIRONMENTS)
        operation = logs.start(
            environment, "proxy:call", integration="github", connection=f"c-{chance.randrange(1000)}"
        )
        for line in range(MESSAGES):
            said = " ".join(chance.choices(WORDS, k=8))
            word = rare if rare and number == operations // 2 // ENVIRONMENTS * ENVIRONMENTS and line == 0 else ""
            operation.info(f"GET /repos/acme/{chance.randrange(100_000)}/issues 200 {said} {word}", ms=12, page=line)
        operation.finish("success")
    return operations * (MESSAGES + 1)


async def timed(call: Callable[[], Awaitable[object]], times: int = 15) -> float:
    """Return the median milliseconds."""
    took: list[float] = []
    for _ in range(times):
        began = time.perf_counter()
        await call()
        took.append((time.perf_counter() - began) * 1000)
        await asyncio.sleep(0.05)
    return round(sorted(took)[len(took) // 2], 1)


async def searches(reader: Logs, rare: str) -> dict[str, float]:
    env = EnvironmentId(0)

    def ask(wanted: OperationFilter) -> Callable[[], Awaitable[object]]:
        return lambda: reader.search_operations(env, wanted)

    assert (await reader.search_operations(env, OperationFilter(text=rare))).items
    return {
        "newest_ms": await timed(ask(OperationFilter())),
        "connection_ms": await timed(ask(OperationFilter(connections=["c-7"]))),
        "common_ms": await timed(ask(OperationFilter(text="sync"))),
        "rare_ms": await timed(ask(OperationFilter(text=rare))),
        "none_ms": await timed(ask(OperationFilter(text="nowhere"))),
        "no_failures_ms": await timed(ask(OperationFilter(text="sync", connections=["nobody"]))),
    }


async def measure(server: EmbeddedPostgres, rows: int) -> list[Result]:
    url = server.url("postgres")
    await migrate(url, ["dragoman_server.logs"])
    database, reading = Database(url), Database(url)
    await database.open()
    await reading.open()
    clock = ManualClock(MIDNIGHT - timedelta(minutes=10))
    logs, reader = Logs(database=database, clock=clock, bound_bytes=10**9), Logs(database=reading)
    chance = random.Random(1)
    began, cpu, written = time.perf_counter(), time.process_time(), 0
    while written < rows:
        rare = "needle" if written <= rows // 2 < written + 20_000 else None
        written += write(logs, 20_000, chance, rare=rare)
        await logs.flush()
        clock.advance(timedelta(seconds=4))
    ingest = written / (time.perf_counter() - began)
    python_us = (time.process_time() - cpu) / written * 1e6

    stopping = False

    async def keep_writing() -> None:
        while not stopping:
            began = time.perf_counter()
            write(logs, 500, chance)
            await logs.flush()
            clock.advance(timedelta(seconds=0.1))
            await asyncio.sleep(max(0.0, 0.1 - (time.perf_counter() - began)))

    writing = asyncio.create_task(keep_writing())
    open_day = await searches(reader, "needle")
    clock.advance(MIDNIGHT + timedelta(seconds=1) - clock.now())
    await asyncio.sleep(0.5)
    across = await searches(reader, "needle")
    stopping = True
    await writing
    await database.close()
    await reading.close()
    said = f"{written:,} rows; {python_us:.1f} us of this process a row; load average {os.getloadavg()[0]:.1f}"
    results = [Result("P14", "ingest", ingest, "rows/s", 20_000, at_least=True, conditions=said)]
    for when, found in (("the open day", open_day), ("after midnight", across)):
        for name, target in (("newest", 20), ("rare", 50), ("none", 50), ("common", None), ("connection", None)):
            figure = f"search, {SEARCHES[name]}, {when}, 5k rows/s coming in: median"
            results.append(Result("P14", figure, found[f"{name}_ms"], "ms", target))
    return results


SEARCHES = {
    "newest": "newest page",
    "rare": "a rare word",
    "none": "no match",
    "common": "a common word",
    "connection": "one connection",
}


def run(size: Size) -> Iterator[Result]:
    """The logs part in this process."""
    folder = Path(tempfile.mkdtemp(prefix="dgb-", dir="/tmp"))
    folder.chmod(0o755)
    server = EmbeddedPostgres(folder / "pg")
    server.start()
    try:
        yield from asyncio.run(measure(server, size.pick(4_000, 1_000_000, 3_000_000)))
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    benchmark(run)
