"""P4: CPU per page of GET /records (pages of 100 and 1000 records of 500 bytes, sealed), without the HTTP server."""

import argparse
import time
import uuid

import uvloop

from benchmarks.p8_sync_save import sync_once
from benchmarks.records_stack import ENVIRONMENT, STREAM, Figure, Stack, open_stack, show


async def pages(stack: Stack, limit: int, rounds: int) -> tuple[float, float]:
    """Walk the feed; return CPU and wall milliseconds per page."""
    cursor: str | None = None
    for _ in range(10):
        await stack.records.page(ENVIRONMENT, STREAM.connection_row_id, STREAM.model, limit=limit)
    cpu, wall = stack.cpu_seconds(), time.perf_counter()
    for _ in range(rounds):
        page = await stack.records.page(ENVIRONMENT, STREAM.connection_row_id, STREAM.model, limit=limit, cursor=cursor)
        assert page.count == limit
        cursor = page.next_cursor
    return (stack.cpu_seconds() - cpu) / rounds * 1e3, (time.perf_counter() - wall) / rounds * 1e3


async def run(count: int = 100_000) -> list[Figure]:
    async with open_stack() as stack:
        await sync_once(stack, count, 0, uuid.uuid4())
        figures: list[Figure] = []
        for limit, target in ((100, 0.6), (1000, 5.0)):
            cpu, wall = await pages(stack, limit, min(count // limit, 1000) - 1)
            figures.append(Figure(f"P4 page of {limit}: CPU", cpu, "ms", target))
            figures.append(Figure(f"P4 page of {limit}: wall", wall, "ms"))
        return figures


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, default=100_000)
    show(uvloop.run(run(parser.parse_args().count)))


if __name__ == "__main__":
    main()
