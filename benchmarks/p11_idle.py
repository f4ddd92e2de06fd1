"""P11: the whole platform at rest, Postgres included, with 10k schedules that are not due; and with 100k.

Target: <= 260 MB PSS, <= 1 % of a core; log n or better.
"""

import time
from collections.abc import Iterator

from benchmarks.crowd import idle_schedules
from benchmarks.process_tree import pss_megabytes
from benchmarks.result import Result, growth
from benchmarks.rig import Size, benchmark, measured
from benchmarks.world import World, open_world


def at_rest(world: World, seconds: float, count: int) -> tuple[Result, Result]:
    """Memory, and CPU in percent of a core."""
    time.sleep(min(8.0, seconds))  # what the start and the new schedules caused settles
    with measured(world.pid, label="p11") as spent:
        time.sleep(seconds)
    said = f"{spent.conditions}; {count:,} idle schedules; {seconds:g} s"
    memory = Result("P11", "idle: memory (PSS)", pss_megabytes(world.pid), "MB", 260, conditions=said)
    return memory, Result("P11", "idle: CPU", spent.cpu / spent.wall * 100, "% of a core", 1, conditions=said)


def run(size: Size) -> Iterator[Result]:
    """10k, then 100k."""
    few, many, seconds = size.pick(100, 10_000, 10_000), size.pick(300, 100_000, 100_000), size.pick(1.0, 30.0, 120.0)
    with open_world(own=size is not Size.SMOKE) as world:
        url = world.database_url("dragoman_orchestrator")
        idle_schedules(url, few)
        small = at_rest(world, seconds, few)
        yield from small
        idle_schedules(url, many - few)
        large = at_rest(world, seconds, many)
        for one, other in zip(small, large, strict=True):
            yield growth(one, other, of="schedules", n=(few, many))


if __name__ == "__main__":
    benchmark(run)
