"""P5, P6: the round trip of an action through the whole platform, sandboxed: one at a time, 16 in flight; and the first
again with Postgres waiting 2 ms at each commit.

Target: p50 <= 4 ms + 3 fsyncs, p99 <= 30 ms, no stall; 16 in flight <= 3 ms CPU, >= 400/s.
"""

import asyncio
import itertools
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.load import Wire, flood
from benchmarks.result import Result, percentile
from benchmarks.rig import Size, benchmark, measured
from benchmarks.world import World, open_world
from dragoman_server.db.driver import connect

STALL_SECONDS = 1.0


def fsync_ms(folder: Path, times: int = 50) -> float:
    """The disk's own: an 8 kB write and fdatasync, median."""
    place = folder / "fsync"
    took: list[float] = []
    with place.open("wb", buffering=0) as file:
        for _ in range(times):
            file.write(bytes(8192))
            began = time.perf_counter()
            os.fdatasync(file.fileno())
            took.append((time.perf_counter() - began) * 1000)
    place.unlink()
    return percentile(took, 0.5)


def trigger(world: World, number: int) -> bytes:
    """POST /action/trigger of `echo`, as it goes over the wire."""
    body = json.dumps({"action_name": "echo", "input": number}).encode()
    headers = {
        **world.authorization,
        "Connection-Id": world.connection,
        "Provider-Config-Key": world.integration,
        "Content-Type": "application/json",
        "Content-Length": str(len(body)),
    }
    lines = ["POST /action/trigger HTTP/1.1", "Host: localhost", *(f"{k}: {v}" for k, v in headers.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + body


async def one_by_one(world: World, calls: int) -> list[float]:
    """Milliseconds of each round trip."""
    wire = Wire(world.port)
    took: list[float] = []
    for number in range(calls):
        began = time.perf_counter()
        status, body = await wire.ask(trigger(world, number))
        took.append((time.perf_counter() - began) * 1000)
        assert status == 200, body[:300]
        assert int(body) == number + 1, body[:300]
    wire.close()
    return took


async def delay_commits(world: World, micros: int) -> None:
    """Every commit waits so long, even alone."""
    raw = await connect(world.database_url("postgres"))
    await raw.execute(f"ALTER SYSTEM SET commit_delay = {micros}")
    await raw.execute(f"ALTER SYSTEM SET commit_siblings = {0 if micros else 5}")
    await raw.execute("SELECT pg_reload_conf()")
    await raw.close()


def sequential(world: World, calls: int, target: float, how: str) -> Iterator[Result]:
    asyncio.run(one_by_one(world, min(calls, 50)))
    with measured(world.pid, label=f"p5 {how}") as spent:
        took = asyncio.run(one_by_one(world, calls))
    stalls = sum(one > STALL_SECONDS * 1000 for one in took)
    said = f"{spent.conditions}; {calls:,} actions; {spent.cpu / calls * 1000:.1f} ms CPU each; max {max(took):.0f} ms"
    yield Result("P5", f"action, c=1{how}: p50", percentile(took, 0.5), "ms", target, conditions=said)
    yield Result("P5", f"action, c=1{how}: p99", percentile(took, 0.99), "ms", 30, conditions=said)
    yield Result("P5", f"action, c=1{how}: stalls over {STALL_SECONDS:g} s", stalls, f"of {calls:,}", 0)


def run(size: Size) -> Iterator[Result]:
    """One at a time, 16 in flight, slow commits."""
    calls = size.pick(10, 1500, 10_000)
    with open_world(functions=True) as world:
        fsync = fsync_ms(world.platform.data_dir)
        yield Result("P5", "an fsync of this disk", fsync, "ms")
        yield from sequential(world, calls, 4 + 3 * fsync, "")
        in_flight = size.pick(32, 2000, 10_000)
        requests = itertools.cycle([trigger(world, 41)])
        flood(world.port, requests, calls=min(in_flight, 100), at_once=16, check=b"42".__eq__)
        with measured(world.pid, label="p6") as spent:
            flood(world.port, requests, calls=in_flight, at_once=16, check=b"42".__eq__)
        said = f"{spent.conditions}; {in_flight:,} actions"
        yield Result("P6", "action, c=16: CPU", spent.cpu / in_flight * 1000, "ms", 3, conditions=said)
        rate = in_flight / spent.wall
        yield Result("P6", "action, c=16: done", rate, "actions/s", 400, at_least=True, conditions=said)
        asyncio.run(delay_commits(world, 2000))
        try:
            yield from sequential(world, max(10, calls // 5), 4 + 3 * (fsync + 2), ", commit_delay = 2 ms")
        finally:
            asyncio.run(delay_commits(world, 0))


if __name__ == "__main__":
    benchmark(run)
