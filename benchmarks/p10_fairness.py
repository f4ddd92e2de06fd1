"""P10: one connection floods 10k tasks (of 20 ms, then of 60 s), another of the same environment submits one; then a
thousand backlogged groups. Also P5/P6's share of the engine: the round trip submit, claim, finish, wait.

Target: the other's task starts in p99 <= 50 ms; with many groups within twice the ideal round-robin.
"""

import asyncio
import os
import time
from collections.abc import Iterator
from datetime import timedelta

from benchmarks.orchestrator_stack import Bench, Worker, bench
from benchmarks.result import Result, percentile
from benchmarks.rig import Size, benchmark
from dragoman_server.orchestrator.model import ClaimedTask, GroupKey, QueueLimits, TaskSpec

HOUR = timedelta(hours=1)


def spec(connection: str, environment: int = 1, *, interactive: bool = False) -> TaskSpec:
    return TaskSpec("q", GroupKey(environment, connection), {"v": 1}, run_timeout=HOUR, interactive=interactive)


async def flood(stack: Bench, *, tasks: int, task_seconds: float, probes: int) -> list[float]:
    """Milliseconds from a probe's submission to its start while another connection's flood is worked off."""
    started: dict[str, float] = {}

    async def handler(task: ClaimedTask) -> None:
        if task.group.connection.startswith("probe"):
            started[task.group.connection] = time.monotonic()
        else:
            await asyncio.sleep(task_seconds)

    worker = Worker(stack.engine, f"w{task_seconds}", {"q": 16}, handler)
    for _ in range(tasks // 500):
        await stack.engine.submit([spec("flood") for _ in range(500)])
    running = asyncio.create_task(worker.run())
    await asyncio.sleep(1)
    waits: list[float] = []
    for n in range(probes):
        began = time.monotonic()
        await stack.engine.submit([spec(f"probe{n}")])
        while f"probe{n}" not in started and time.monotonic() < began + 10:  # noqa: ASYNC110
            await asyncio.sleep(0.001)
        waits.append((started.get(f"probe{n}", time.monotonic()) - began) * 1000)
        await asyncio.sleep(0.02)
    worker.stop()
    await running
    return waits


async def round_robin(stack: Bench, *, groups: int = 1000, each: int = 10) -> float:
    """How much longer the last group waited for its first task than in an ideal round: tasks done by then / groups."""
    first: dict[int, int] = {}
    count = 0

    async def handler(task: ClaimedTask) -> None:
        nonlocal count
        count += 1
        first.setdefault(task.group.environment_id * 10_000 + int(task.group.connection), count)

    for environment in range(10):
        await stack.engine.submit([spec(str(c), environment + 100) for c in range(groups // 10) for _ in range(each)])
    worker = Worker(stack.engine, "rr", {"q": 64}, handler)
    running = asyncio.create_task(worker.run())
    while len(first) < groups:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    worker.stop()
    await running
    return max(first.values()) / groups


async def round_trips(stack: Bench, *, seconds: float, flight: int) -> dict[str, float]:
    """Submit and wait, `flight` at a time."""

    async def handler(_task: ClaimedTask) -> bytes:
        return b"{}"

    worker = Worker(stack.engine, f"rt{flight}", {"q:interactive": 32}, handler)
    running = asyncio.create_task(worker.run())
    until = time.monotonic() + seconds
    times: list[float] = []

    async def caller(n: int) -> None:
        while time.monotonic() < until:
            began = time.monotonic()
            [outcome] = await stack.engine.submit([spec(f"c{n}", 5, interactive=True)])
            assert await stack.engine.wait(outcome.task_id, timedelta(seconds=10)) is not None
            times.append((time.monotonic() - began) * 1000)

    ours, postgres = stack.cpu_seconds()
    began = time.monotonic()
    await asyncio.gather(*(caller(n) for n in range(flight)))
    took = time.monotonic() - began
    ours_after, postgres_after = stack.cpu_seconds()
    worker.stop()
    await running
    return {
        "per_second": round(len(times) / took),
        "p50_ms": round(percentile(times, 0.5), 2),
        "p99_ms": round(percentile(times, 0.99), 2),
        "cpu_ms": round((ours_after - ours + postgres_after - postgres) * 1000 / len(times), 3),
        "cpu_ms_postgres": round((postgres_after - postgres) * 1000 / len(times), 3),
    }


LIMITS = {"q": QueueLimits(max_queued=50_000)}


async def measure(size: Size) -> list[Result]:
    """Each on a scratch cluster of its own."""
    tasks, probes = size.pick(500, 10_000, 10_000), size.pick(5, 100, 500)
    seconds = size.pick(0.5, 3.0, 10.0)
    results: list[Result] = []
    async with bench(limits=LIMITS) as stack:
        for flight in (1, 16):
            found = await round_trips(stack, seconds=seconds, flight=flight)
            said = f"{found['per_second']}/s, p50 {found['p50_ms']} ms, p99 {found['p99_ms']} ms"
            figure = f"the engine alone: submit, claim, finish, wait, c={flight}: CPU"
            results.append(Result("P10", figure, found["cpu_ms"], "ms", conditions=said))
    for each in (0.02, 60.0):
        async with bench(limits=LIMITS) as stack:
            waits = await flood(stack, tasks=tasks, task_seconds=each, probes=probes)
        said = f"p50 {percentile(waits, 0.5):.1f} ms; load average {os.getloadavg()[0]:.1f}"
        figure = f"another's task in a flood of {tasks:,} of {each:g} s: p99 to its start"
        results.append(Result("P10", figure, percentile(waits, 0.99), "ms", 50, conditions=said))
    async with bench(limits=LIMITS) as stack:
        groups = size.pick(50, 1000, 1000)
        worst = await round_robin(stack, groups=groups)
        figure = f"{groups:,} backlogged groups: the last one's first task, against ideal round-robin"
        results.append(Result("P10", figure, worst, "times", 2))
    return results


def run(size: Size) -> Iterator[Result]:
    """The engine in this process."""
    yield from asyncio.run(measure(size))


if __name__ == "__main__":
    benchmark(run)
