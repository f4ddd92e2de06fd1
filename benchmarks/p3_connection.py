"""P3: GET /connections/{id} with a fresh token, 16 at a time; hot, and each connection for the first time since a
rolling restart; and again with 100 times the connections and tenants.

Target: <= 0.35 ms CPU over all processes, Postgres included.
"""

import itertools
import json
from collections.abc import Callable, Iterator

from benchmarks.crowd import more_connections, more_tenants
from benchmarks.load import flood, get
from benchmarks.result import Result, growth
from benchmarks.rig import Size, benchmark, measured
from benchmarks.roll import roll
from benchmarks.world import World, open_world


def fresh(body: bytes) -> bool:
    """The token that was imported for this connection."""
    answer = json.loads(body)
    return answer["credentials"]["access_token"] == f"token-of-{answer['connection_id']}"


def reads(world: World, names: list[str]) -> list[bytes]:
    return [get(f"/connections/{name}?provider_config_key={world.integration}", world.authorization) for name in names]


def cost(
    world: World, requests: Iterator[bytes], calls: int, figure: str, target: float | None, *, warm: bool = True
) -> Result:
    """CPU milliseconds per read."""
    check: Callable[[bytes], bool] = fresh
    if warm:
        flood(world.port, requests, calls=max(50, calls // 10), at_once=16, check=check)
    with measured(world.pid, label=figure) as spent:
        flood(world.port, requests, calls=calls, at_once=16, check=check)
    said = f"{spent.conditions}; {calls / spent.wall:,.0f}/s seen by the client"
    return Result("P3", figure, spent.cpu / calls * 1000, "ms", target, conditions=said)


def run(size: Size) -> Iterator[Result]:
    """Hot, cold, then grown."""
    calls, spread = size.pick(100, 10_000, 40_000), size.pick(5, 500, 1000)
    crowd, tenants = size.pick(50, 100_000, 100_000), size.pick(2, 200, 1000)
    with open_world() as world:
        one = cost(world, itertools.cycle(reads(world, ["c0"])), calls, "GET /connections/{id}, c=16: CPU", 0.35)
        yield one
        names = [f"c{n}" for n in range(1, spread + 1)]
        for name in names:
            world.connect(name)
        hot_name, cold_name = "over many, hot: CPU", "over many, first read since a restart: CPU"
        hot = cost(world, itertools.cycle(reads(world, names)), calls, hot_name, None)
        yield hot
        roll(world.platform)
        cold = cost(world, iter(reads(world, names)), spread, cold_name, None, warm=False)
        yield cold
        more_connections(world, crowd)
        large = cost(world, itertools.cycle(reads(world, names)), calls, hot_name, None)
        yield growth(hot, large, of="connections", n=(spread, crowd))
        if size is not Size.SMOKE:  # once is enough to see that it works
            roll(world.platform)
        large = cost(world, iter(reads(world, names)), spread, cold_name, None, warm=False)
        yield growth(cold, large, of="connections", n=(spread, crowd))
        of_tenants = more_tenants(world, tenants, f"/connections/c0?provider_config_key={world.integration}")
        large = cost(world, itertools.cycle(of_tenants), calls, "GET /connections/{id}, c=16: CPU", None)
        yield growth(one, large, of="tenants", n=(1, tenants))


if __name__ == "__main__":
    benchmark(run)
