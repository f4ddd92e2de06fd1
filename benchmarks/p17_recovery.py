"""P17: how long callers wait after a kill -9 of Postgres, how long tasks do after one of their worker process, and what
callers see of a rolling restart under 500 requests a second.

Target: <= 5 s; <= 10 s; 0 errors.
"""

import asyncio
import time
from collections.abc import Iterator
from contextlib import suppress

import httpx
import uvloop

from benchmarks.load import Steady, Wire, steady
from benchmarks.result import Result, percentile
from benchmarks.rig import Size, Spent, benchmark
from benchmarks.roll import roll
from benchmarks.upstream import JSON
from benchmarks.world import World, open_world
from tests.support import processes
from tests.support.platform import poll_until


def postgres_killed(world: World, times: int) -> list[float]:
    """Seconds from kill -9 of Postgres to the first answer that needs it."""
    took: list[float] = []
    path, key = f"{world.platform.url}/integrations", world.authorization
    for _ in range(times):
        [server] = processes.postgres(world.pid)
        began = time.perf_counter()
        server.kill()

        def answered(dead: int = server.pid) -> bool:
            with suppress(httpx.TransportError):
                return httpx.get(path, headers=key, timeout=5).status_code == 200 and dead not in {
                    one.pid for one in processes.postgres(world.pid)
                }
            return False

        poll_until(answered, "an answer with Postgres's help", seconds=60, every=0.02)
        took.append(time.perf_counter() - began)
        poll_until(lambda: _proxied(world), "everything back", seconds=30, every=0.1)
    return took


def _proxied(world: World) -> bool:
    async def ask() -> bool:
        wire = Wire(world.port)
        with suppress(OSError):
            status, body = await wire.ask(next(world.proxied()))
            wire.close()
            return status == 200 and body == JSON
        return False

    return asyncio.run(ask())


def worker_killed(world: World, times: int) -> list[float]:
    """Seconds from kill -9 of the worker process to the second attempt of the sync it ran."""
    took: list[float] = []
    counter = f"started-{world.integration}"
    for _ in range(times):
        started = int(world.upstream.ask("/counts").get(counter, 0))
        world.upstream.ask("/set", stop=0)
        world.api.syncs.trigger(world.integration, ["long"], connection_id=world.connection)
        poll_until(lambda n=started: world.upstream.ask("/counts").get(counter, 0) > n, "the sync running", every=0.05)
        [worker] = processes.workers(world.pid)
        began = time.perf_counter()
        worker.kill()
        poll_until(lambda n=started: world.upstream.ask("/counts")[counter] > n + 1, "its second attempt", every=0.05)
        took.append(time.perf_counter() - began)
        world.upstream.ask("/set", stop=1)
        poll_until(lambda: world.sync_status("long")["latestExecutionStatus"] == "SUCCESS", "its end", every=0.2)
    return took


async def rolled(world: World, times: int, per_second: int) -> tuple[Steady, float]:
    """What a steady load of proxied calls sees while all worker processes are replaced `times` times."""
    done = asyncio.Event()
    load = asyncio.create_task(
        steady(world.port, world.proxied(), per_second=per_second, at_once=32, until=done.is_set, check=JSON.__eq__)
    )
    await asyncio.sleep(1)
    began = time.perf_counter()
    for _ in range(times):
        await asyncio.to_thread(roll, world.platform)
    took = (time.perf_counter() - began) / times
    await asyncio.sleep(1)
    done.set()
    return await load, took


def run(size: Size) -> Iterator[Result]:
    """Rolling restarts, then kills."""
    times, per_second = size.pick(1, 3, 10), size.pick(100, 500, 500)
    with open_world(functions=True, own=True) as world:  # it kills what others would need
        load = Spent()
        seen, took = uvloop.run(rolled(world, times, per_second))
        waits = [one * 1000 for _, one in seen.answers]
        rate = len(waits) / max(0.001, seen.answers[-1][0] - seen.answers[0][0])
        said = (
            f"{load.conditions}; {len(waits):,} calls at {rate:.0f}/s over 32 kept connections, {times} restarts "
            f"of {took:.1f} s; p99 {percentile(waits, 0.99):.0f} ms, longest {max(waits):.0f} ms"
        )
        said += f"; first failures: {seen.failures[:3]}" if seen.failures else ""
        yield Result("P17", f"rolling restart under {per_second}/s", len(seen.failures), "errors", 0, conditions=said)
        killed = postgres_killed(world, times)
        said = f"{load.conditions}; the longest of {times}"
        yield Result("P17", "Postgres killed to the first answer", max(killed), "s", 5, conditions=said)
        if size is Size.SMOKE:  # takes a lease's length
            return
        killed = worker_killed(world, times)
        yield Result("P17", "worker killed to its sync running again", max(killed), "s", 10, conditions=said)


if __name__ == "__main__":
    benchmark(run)
