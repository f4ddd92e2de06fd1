"""P8: a deployed sync of 100k records, first / unchanged / 10 % changed: fetch, map, save, delete tracking.

Target: <= 65 / 20 / 30 us CPU a record over all processes, the function's included.
"""

from collections.abc import Iterator

from benchmarks.result import Result
from benchmarks.rig import Size, benchmark, measured
from benchmarks.world import World, open_world

PASSES = (("first", 0, 65.0), ("unchanged", 0, 20.0), ("10 % changed", 1, 30.0))


def counted(world: World) -> int:
    """How many records the API says there are."""
    return int(world.sync_status("people")["recordCount"]["Person"])


def run(size: Size) -> Iterator[Result]:
    """The three passes."""
    total = size.pick(2000, 100_000, 1_000_000)
    with open_world(functions=True) as world:
        for page in range(-(-total // 1000)):  # let the vendor make its pages beforehand
            for version in (0, 1):
                world.upstream.ask("/people", page=page, total=total, version=version)
        for name, version, target in PASSES:
            world.upstream.ask("/set", total=total, version=version)
            with measured(world.pid, label=f"p8 {name}") as spent, measured(world.upstream.pid) as vendor:
                world.run_sync("people", seconds=600)
            assert counted(world) == total, (counted(world), total)
            said = (
                f"{spent.conditions}; {total:,} records of 500 B; {spent.wall / total * 1e6:.0f} us wall a record; "
                f"the upstream used {vendor.cpu / spent.wall:.2f} cores"
            )
            yield Result("P8", f"sync, {name}: CPU", spent.cpu / total * 1e6, "us/record", target, conditions=said)


if __name__ == "__main__":
    benchmark(run)
