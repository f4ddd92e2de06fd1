"""P8, the part of records: CPU per record of saving 500-byte records, first / unchanged / 10 % changed, tracked.

Fetch, map and the sandbox are measured by the whole-platform benchmark; this is prepare + hash + seal + Postgres.
"""

import argparse
import time
import uuid

import msgspec
import uvloop

from benchmarks.records_stack import ENVIRONMENT, STREAM, Figure, Stack, open_stack, show
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


async def sync_once(stack: Stack, count: int, version: int, owner: uuid.UUID, *, start: int = 0) -> tuple[float, float]:
    """Run one tracked sync; return CPU and wall microseconds per record."""
    fence = Fence(owner, RunId(uuid7()), 1)
    batches = [batch_of(start + i, min(1000, count - i), version) for i in range(0, count, 1000)]
    cpu, wall = stack.cpu_seconds(), time.perf_counter()
    await stack.records.begin_attempt(ENVIRONMENT, fence.owner, fence.run_id, fence.attempt)
    await stack.records.open_generation(ENVIRONMENT, fence, STREAM)
    for number, batch in enumerate(batches):
        await stack.records.save(ENVIRONMENT, fence, number, STREAM, batch)
    await stack.records.close_generation(ENVIRONMENT, fence, STREAM)
    return (stack.cpu_seconds() - cpu) / count * 1e6, (time.perf_counter() - wall) / count * 1e6


async def run(count: int = 100_000) -> list[Figure]:
    async with open_stack() as stack:
        owner = uuid.uuid4()
        figures: list[Figure] = []
        for name, version, target in (("first", 0, 65.0), ("unchanged", 0, 20.0), ("10 % changed", 1, 30.0)):
            cpu, wall = await sync_once(stack, count, version, owner)
            figures.append(Figure(f"P8 save of {count} records, {name}: CPU", cpu, "us/record", target))
            figures.append(Figure(f"P8 save of {count} records, {name}: wall", wall, "us/record"))
        return figures


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, default=100_000)
    show(uvloop.run(run(parser.parse_args().count)))


if __name__ == "__main__":
    main()
