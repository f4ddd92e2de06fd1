"""P9: 100k schedules with 1,000 due per second, 30 % of the groups at their cap, a backup snapshot open beside.

Target: p99 <= 300 ms late, <= 0.25 ms CPU per run (no-op handler), all processes, Postgres included.
    python -m benchmarks.p9_schedules [schedules] [due per second] [seconds]
"""

import asyncio
import json
import sys
import time
from datetime import UTC, datetime, timedelta

from benchmarks.orchestrator_stack import Worker, bench, percentile
from dragoman_server.db.driver import connect
from dragoman_server.orchestrator.model import ClaimedTask, GroupKey, ScheduleSpec, TaskSpec

ENVIRONMENTS = 1000


async def main(count: int = 100_000, due: int = 1000, seconds: float = 20.0) -> dict[str, object]:
    """Return the figures."""
    async with bench() as stack:
        engine = stack.engine
        capped = int(ENVIRONMENTS * 0.3)
        for environment in range(capped):
            await engine.set_cap("sync", GroupKey(environment), 0, environment_wide=True)
        # Those at their cap run nothing: the period makes the others due `due` times a second.
        period = timedelta(seconds=count * 0.7 / due)
        soon = datetime.now(UTC) + timedelta(seconds=15)
        specs = [
            ScheduleSpec(
                f"sync:{n}",
                TaskSpec(
                    "sync",
                    GroupKey(n % ENVIRONMENTS, f"c{n // ENVIRONMENTS}"),
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
        await asyncio.sleep(8)  # let caches fill and the capped groups' backlog build up
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
        return {
            "name": "P9",
            "schedules": count,
            "done_per_second": round(done / took),
            "late_ms_p50": round(percentile(late, 0.5), 1),
            "late_ms_p99": round(percentile(late, 0.99), 1),
            "cpu_ms_per_run": round((ours_after - ours + postgres_after - postgres) * 1000 / max(1, done), 3),
            "cpu_ms_per_run_postgres": round((postgres_after - postgres) * 1000 / max(1, done), 3),
            "upsert_us": round(upsert_us),
            "target": {"late_ms_p99": 300, "cpu_ms_per_run": 0.25},
        }


if __name__ == "__main__":
    numbers = [float(a) for a in sys.argv[1:]]
    answer = asyncio.run(
        main(
            int(numbers[0]) if numbers else 100_000,
            int(numbers[1]) if len(numbers) > 1 else 1000,
            numbers[2] if len(numbers) > 2 else 20.0,
        )
    )
    print(json.dumps(answer))
