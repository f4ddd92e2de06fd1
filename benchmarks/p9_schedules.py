"""P9: 100k schedules with 1,000 due per second, 30 % of the groups at their cap, a backup snapshot open beside.

Target: p99 <= 300 ms late, <= 0.25 ms CPU per run (no-op handler), all processes, Postgres included.
"""

import asyncio
import os
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from benchmarks.orchestrator_stack import Worker, bench
from benchmarks.result import Result, growth, percentile
from benchmarks.rig import Size, benchmark
from dragoman_server.db.driver import connect
from dragoman_server.orchestrator.model import ClaimedTask, GroupKey, ScheduleSpec, TaskSpec


async def measure(count: int, due: int, seconds: float, *, tenants: int) -> tuple[Result, Result]:
    """How late runs start, and what one costs, with `due` schedules due a second in `tenants` environments."""
    async with bench() as stack:
        engine = stack.engine
        environments, connections = (tenants, 1) if tenants > 1 else (1, min(1000, count))
        for n in range(int(max(environments, connections) * 0.3)):
            group = GroupKey(n) if tenants > 1 else GroupKey(0, f"c{n}")
            await engine.set_cap("sync", group, 0, environment_wide=tenants > 1)
        # Those at their cap run nothing: the period makes the others due `due` times a second.
        period = timedelta(seconds=count * 0.7 / due)
        soon = datetime.now(UTC) + timedelta(seconds=min(15.0, seconds))
        specs = [
            ScheduleSpec(
                f"sync:{n}",
                TaskSpec(
                    "sync",
                    GroupKey(n % environments, f"c{n // environments if tenants > 1 else n % connections}"),
                    {"v": 1, "sync": n},
                    run_timeout=timedelta(hours=1),
                    start_by=timedelta(hours=1),
                    requeue_on_lost_lease=True,
                ),
                period,
                starts_at=soon + period * (n * 7919 % count / count) - period,
            )
            for n in range(count)
        ]
        began = time.monotonic()
        await engine.upsert_schedules(specs)
        upsert_us = (time.monotonic() - began) / count * 1e6
        snapshot = await connect(stack.server.url("main"))
        await snapshot.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        await snapshot.fetch("SELECT count(*) FROM pg_class")

        late: list[float] = []
        measuring = False

        async def handler(task: ClaimedTask) -> None:
            if measuring:
                late.append((datetime.now(UTC) - task.ready_at).total_seconds() * 1000)

        worker = Worker(engine, "w", {"sync": 128}, handler)
        running = asyncio.create_task(worker.run())
        await asyncio.sleep(min(8.0, seconds))  # let caches fill and the capped groups' backlog build up
        measuring = True
        ours, postgres = stack.cpu_seconds()
        before, began = worker.done, time.monotonic()
        await asyncio.sleep(seconds)
        took, done = time.monotonic() - began, worker.done - before
        measuring = False
        ours_after, postgres_after = stack.cpu_seconds()
        worker.stop()
        await running
        await snapshot.close()
        cpu = (ours_after - ours + postgres_after - postgres) * 1000 / max(1, done)
        assert done >= due * seconds * 0.5 or seconds < 5, f"only {done} runs in {took:.0f} s"
        said = (
            f"{done / took:,.0f} runs/s; p50 {percentile(late, 0.5):.0f} ms late; upsert {upsert_us:.0f} us; "
            f"30 % of the groups at their cap, a snapshot open in the main database; load {os.getloadavg()[0]:.1f}"
        )
        name = f"{due:,} due a second"
        return (
            Result("P9", f"{name}: p99 late", percentile(late, 0.99), "ms", conditions=said),
            Result("P9", f"{name}: CPU a run", cpu, "ms", conditions=said),
        )


def run(size: Size) -> Iterator[Result]:
    """100k schedules; then fewer schedules and one tenant, for the growth."""
    count, due, seconds = size.pick(300, 100_000, 100_000), size.pick(100, 1000, 1000), size.pick(0.5, 20.0, 60.0)
    tenants = size.pick(10, 1000, 1000)
    late, cost = asyncio.run(measure(count, due, seconds, tenants=tenants))
    yield replace(late, target=300)
    yield replace(cost, target=0.25)
    fewer = asyncio.run(measure(count // 10, due, seconds, tenants=tenants))
    one = asyncio.run(measure(count, due, seconds, tenants=1))
    for small, large in zip(fewer, (late, cost), strict=True):
        yield growth(small, large, of="schedules", n=(count // 10, count))
    for small, large in zip(one, (late, cost), strict=True):
        yield growth(small, large, of="tenants", n=(1, tenants))


if __name__ == "__main__":
    benchmark(run)
