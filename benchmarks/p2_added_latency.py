"""P2: what the platform adds to a call's latency, one call at a time; and again while a sync saves at full speed.

Target: p50 <= 1 ms, p99 <= 5 ms; while busy p99 <= 10 ms. Added = through the platform less the direct call.
"""

import itertools
from collections.abc import Iterator

from benchmarks.load import flood, get
from benchmarks.result import Result, percentile
from benchmarks.rig import Size, benchmark, measured
from benchmarks.upstream import JSON
from benchmarks.world import World, open_world
from tests.support.platform import poll_until


def added(world: World, calls: int) -> tuple[float, float]:
    """Milliseconds added at p50 and p99."""
    ours = flood(world.port, world.proxied(), calls=calls, at_once=1, check=JSON.__eq__)
    direct = flood(world.upstream.port, itertools.cycle([get("/json", {})]), calls=calls, at_once=1, check=JSON.__eq__)
    p50, p99 = ((percentile(ours, at) - percentile(direct, at)) * 1000 for at in (0.5, 0.99))
    return p50, p99


def run(size: Size) -> Iterator[Result]:
    """At rest, then busy."""
    calls = size.pick(100, 5000, 20_000)
    with open_world(functions=True) as world:
        flood(world.port, world.proxied(), calls=100, at_once=1, check=JSON.__eq__)
        with measured(world.pid, label="p2") as spent:
            p50, p99 = added(world, calls)
        yield Result("P2", "added, c=1: p50", p50, "ms", 1, conditions=spent.conditions)
        yield Result("P2", "added, c=1: p99", p99, "ms", 5, conditions=spent.conditions)

        saved, rounds = f"batches-{world.integration}", size.pick(2, 10, 10)
        world.upstream.ask("/set", total=1000, version=0, stop=0)
        world.api.syncs.trigger(world.integration, ["busy"], connection_id=world.connection)
        poll_until(lambda: world.upstream.ask("/counts").get(saved, 0) > rounds, "the first batches")
        before = world.upstream.ask("/counts")[saved]
        with measured(world.pid, label="p2 busy") as spent:
            p50, p99 = added(world, calls)
        batches = world.upstream.ask("/counts")[saved] - before
        world.upstream.ask("/set", stop=1)
        poll_until(lambda: world.sync_status("busy")["status"] != "RUNNING", "the end of the busy sync")
        assert batches > 0, "the sync saved nothing meanwhile"
        said = f"{spent.conditions}; {batches * 1000 / spent.wall:,.0f} changed records/s saved meanwhile"
        yield Result("P2", "added, c=1, a sync saves at full speed: p50", p50, "ms", conditions=said)
        yield Result("P2", "added, c=1, a sync saves at full speed: p99", p99, "ms", 10, conditions=said)


if __name__ == "__main__":
    benchmark(run)
