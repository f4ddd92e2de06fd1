"""P5, P6, P7: the round trip of an action through the whole platform, sandboxed: cold, one at a time, 16 in flight.

python -m benchmarks.p5_actions [calls]
"""

import asyncio
import statistics
import sys
import time
from pathlib import Path

from benchmarks.process_tree import cpu_seconds
from dragoman import Client
from tests.support.platform import RunningPlatform, make_data_dir, remove_data_dir, start_platform

PROJECT = """
from dragoman import ActionContext, action

@action(integration="bench")
async def echo(ctx: ActionContext, value: int) -> int:
    return value + 1
"""


def set_up(platform: RunningPlatform, folder: Path) -> Client:
    project = folder / "project"
    (project / "functions").mkdir(parents=True)
    (project / "functions" / "__init__.py").write_text("")
    (project / "functions" / "bench.py").write_text(PROJECT)
    api = platform.client()
    api.integrations.create("bench", "unauthenticated")
    api.connections.create("bench", {"type": "NONE"}, connection_id="c1")
    platform.deploy(project)
    return api


async def flood(platform: RunningPlatform, calls: int, at_once: int) -> list[float]:
    took: list[float] = []
    async with platform.async_client() as api:
        left = iter(range(calls))

        async def one() -> None:
            for number in left:
                started = time.perf_counter()
                assert await api.actions.trigger("bench", "c1", "echo", number) == number + 1
                took.append(time.perf_counter() - started)

        await asyncio.gather(*(one() for _ in range(at_once)))
    return took


def main(calls: int = 400) -> None:
    folder = make_data_dir()
    platform = start_platform(folder / "data")
    try:
        api = set_up(platform, folder)
        started = time.perf_counter()
        api.actions.trigger("bench", "c1", "echo", 1)
        print(f"P7 first action ever: {(time.perf_counter() - started) * 1000:.0f} ms (target <= 400)")
        took: list[float] = []
        for number in range(calls):
            started = time.perf_counter()
            assert api.actions.trigger("bench", "c1", "echo", number) == number + 1
            took.append((time.perf_counter() - started) * 1000)
        took.sort()
        print(
            f"P5 sequential: p50 {statistics.median(took):.1f} ms, p99 {took[int(len(took) * 0.99)]:.1f} ms, "
            f"max {took[-1]:.1f} ms (target p50 4 ms + 3 fsyncs, p99 30)"
        )
        pid = platform.commands[0].popen.pid
        before, started = cpu_seconds(pid), time.perf_counter()
        asyncio.run(flood(platform, calls * 2, 16))
        wall, cpu = time.perf_counter() - started, cpu_seconds(pid) - before
        print(f"P6 16 in flight: {cpu / calls / 2 * 1000:.2f} ms CPU, {calls * 2 / wall:.0f}/s (target 3 ms, 400/s)")
        api.close()
    finally:
        platform.stop()
        remove_data_dir(folder)


if __name__ == "__main__":
    main(*(int(a) for a in sys.argv[1:]))
