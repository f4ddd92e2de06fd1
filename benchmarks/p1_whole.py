"""P1: a proxied GET through the whole platform, 16 at a time; and again with 100 times the connections and tenants.

Target: <= 0.30 ms CPU over all processes, Postgres included, >= 3,000 requests/s per core; log n or better.
"""

import itertools
from collections.abc import Iterator

from benchmarks.crowd import more_connections, more_tenants
from benchmarks.load import flood
from benchmarks.result import Result, growth
from benchmarks.rig import Size, Spent, benchmark, measured
from benchmarks.upstream import JSON
from benchmarks.world import World, open_world


def proxied(world: World, requests: Iterator[bytes], calls: int, label: str) -> tuple[Result, Result, Spent]:
    """CPU per call and calls per second."""
    flood(world.port, requests, calls=max(100, calls // 10), at_once=16, check=JSON.__eq__)
    with measured(world.pid, label=label) as spent, measured(world.upstream.pid) as vendor:
        times = sorted(flood(world.port, requests, calls=calls, at_once=16, check=JSON.__eq__))
    said = (
        f"{spent.conditions}; {len(JSON)} bytes; one worker process; all processes used {spent.cpu / spent.wall:.2f} "
        f"cores, the upstream {vendor.cpu / spent.wall:.2f}; p50 {times[len(times) // 2] * 1000:.1f} ms"
    )
    cost = Result("P1", "proxied GET, c=16: CPU", spent.cpu / calls * 1000, "ms", 0.30, conditions=said)
    rate = calls / spent.cpu
    return cost, Result("P1", "proxied GET, c=16: per core used", rate, "calls/s", 3000, at_least=True), spent


def run(size: Size) -> Iterator[Result]:
    """Small, then grown."""
    calls = size.pick(200, 10_000, 60_000)
    spread = size.pick(3, 500, 1000)
    crowd, tenants = size.pick(50, 100_000, 100_000), size.pick(2, 200, 1000)
    with open_world() as world:
        cost, rate, spent = proxied(world, world.proxied(), calls, "p1 one connection")
        yield cost
        yield rate
        yield Result("P1", "proxied GET, c=16: seen by the client", calls / spent.wall, "calls/s")
        names = [f"c{n}" for n in range(1, spread + 1)]
        for name in names:
            world.connect(name)
        small, _, _ = proxied(world, world.proxied(names), calls, "p1 connections")
        yield Result("P1", f"the same over {spread:,} connections: CPU", small.value, "ms", conditions=small.conditions)
        more_connections(world, crowd)
        large, _, _ = proxied(world, world.proxied(names), calls, "p1 many connections")
        yield growth(small, large, of="connections", n=(spread, crowd))
        requests = itertools.cycle(more_tenants(world, tenants))
        large, _, _ = proxied(world, requests, calls, "p1 tenants")
        yield growth(cost, large, of="tenants", n=(1, tenants))


if __name__ == "__main__":
    benchmark(run)
