"""P8, the part of records: CPU per record of saving 500-byte records, first / unchanged / 10 % changed, tracked.

Fetch, map and the sandbox are measured by the whole-platform benchmark; this is prepare + hash + seal + Postgres.
"""

import time
import uuid
from collections.abc import Iterator

import msgspec
import uvloop

from benchmarks.records_stack import ENVIRONMENT, STREAM, Stack, lengthen, open_stack
from benchmarks.result import Result, growth
from benchmarks.rig import Size, benchmark
from dragoman_server.kit.ids import RunId, uuid7
from dragoman_server.records import Fence


def batch_of(start: int, size: int, version: int) -> list[tuple[str, bytes]]:
    encode = msgspec.json.encode
    return [
        (
            f"rec-{n:09}",
            encode(
                {
                    "id": f"rec-{n:09}",
                    "name": f"Person {n}",
                    "email": f"person{n}@example.com",
                    "version": version if n % 10 == 0 else 0,
                    "notes": "x" * 330,
                    "tags": ["a", "b"],
                    "address": {"city": "Lisbon", "zip": n},
                }
            ),
        )
        for n in range(start, start + size)
    ]


async def sync_once(
    stack: Stack, count: int, version: int, owner: uuid.UUID, *, start: int = 0, tracked: bool = True
) -> tuple[float, float]:
    """Run one sync; return CPU and wall microseconds per record."""
    fence = Fence(owner, RunId(uuid7()), 1)
    batches = [batch_of(start + i, min(1000, count - i), version) for i in range(0, count, 1000)]
    cpu, wall = stack.cpu_seconds(), time.perf_counter()
    await stack.records.begin_attempt(ENVIRONMENT, fence.owner, fence.run_id, fence.attempt)
    if tracked:
        await stack.records.open_generation(ENVIRONMENT, fence, STREAM)
    for number, batch in enumerate(batches):
        await stack.records.save(ENVIRONMENT, fence, number, STREAM, batch)
    if tracked:
        closed = await stack.records.close_generation(ENVIRONMENT, fence, STREAM)
        assert closed.deleted == 0
    return (stack.cpu_seconds() - cpu) / count * 1e6, (time.perf_counter() - wall) / count * 1e6


PASSES = (("first", 0), ("unchanged", 0), ("10 % changed", 1))


async def alone(size: Size) -> list[Result]:
    """Into an empty stream, then into a long one."""
    count, long = size.pick(2000, 100_000, 100_000), size.pick(20_000, 1_000_000, 10_000_000)
    results: list[Result] = []
    small: dict[str, Result] = {}
    async with open_stack() as stack:
        owner = uuid.uuid4()
        for name, version in PASSES:
            cpu, wall = await sync_once(stack, count, version, owner)
            said = f"{count:,} records; {wall:.1f} us wall a record"
            small[name] = Result("P8", f"save, records part alone, {name}: CPU", cpu, "us/record", conditions=said)
            results.append(small[name])
    async with open_stack() as stack:
        await lengthen(stack, long, windows=2)
        part = size.pick(1000, 20_000, 50_000)
        owner = uuid.uuid4()
        for name, version in PASSES:
            cpu, _ = await sync_once(stack, part, version, owner, tracked=False)
            large = Result(
                "P8", small[name].figure, cpu, "us/record", conditions="delete tracking off in the long stream"
            )
            results.append(growth(small[name], large, of="records in the stream", n=(count, long)))
    return results


def run(size: Size) -> Iterator[Result]:
    """The records part in this process."""
    yield from uvloop.run(alone(size))


if __name__ == "__main__":
    benchmark(run)
