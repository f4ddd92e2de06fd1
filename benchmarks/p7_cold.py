"""P7: an action whose runner is cold: the first ever of a fresh server, then the first after idle eviction, again and
again.

Target: <= 400 ms the first ever (dependencies cached), <= 50 ms the next.
"""

import time
from collections.abc import Iterator

from benchmarks.result import Result, percentile
from benchmarks.rig import Size, benchmark, is_lent, measured
from benchmarks.world import World, open_world
from tests.support import processes
from tests.support.platform import poll_until


def timed(world: World) -> float:
    """Milliseconds of one round trip."""
    began = time.perf_counter()
    assert world.api.actions.trigger(world.integration, world.connection, "echo", 1) == 2
    return (time.perf_counter() - began) * 1000


def run(size: Size) -> Iterator[Result]:
    """First ever, warm, evicted."""
    times = size.pick(1, 10, 30)
    idle = None if is_lent() else {"DRAGOMAN_RUNNER_IDLE_SECONDS": "1"}
    with open_world(idle, functions=True) as world:
        world.api.integrations.list()  # the client's own connection is open
        with measured(world.pid, label="p7") as spent:
            first = timed(world)
            warm = [timed(world) for _ in range(20)]
        said = f"{spent.conditions}; functions with pydantic models, no dependencies of their own"
        yield Result("P7", "first action ever of a fresh server", first, "ms", 400, conditions=said)
        yield Result("P7", "the second action ever", warm[0], "ms", 50, conditions=said)
        cold: list[float] = []
        [worker] = processes.workers(world.pid)
        for _ in range(times):
            poll_until(lambda: not processes.below(worker.pid), "idle runners evicted", every=0.2)
            cold.append(timed(world))
        yield Result(
            "P7", f"an action after idle eviction: median of {times}", percentile(cold, 0.5), "ms", conditions=said
        )


if __name__ == "__main__":
    benchmark(run)
