"""P4: a page of GET /records, 500-byte records sealed at rest: through HTTP and the records part alone; and again in a
stream ten times as long, larger than Postgres's buffers (1M records; 10M with --full).

Target: <= 0.6 ms CPU for a page of 100, <= 5 ms for one of 1000, all processes; log n or better.
"""

import time
import uuid
from collections.abc import Iterator

import msgspec
import uvloop

from benchmarks.load import Wire, get
from benchmarks.p8_sync_save import sync_once
from benchmarks.records_stack import ENVIRONMENT, STREAM, Stack, lengthen, open_stack
from benchmarks.result import Result, growth
from benchmarks.rig import Size, Spent, benchmark, measured
from benchmarks.world import World, open_world

TARGETS = ((100, 0.6), (1000, 5.0))


async def pages(stack: Stack, limit: int, starts: list[str | None]) -> tuple[float, int]:
    """Read a page after each of `starts`, ten rounds of them; return CPU milliseconds a page and bytes of the last."""
    rounds = 10
    body = b""
    cpu = stack.cpu_seconds()
    for _ in range(rounds):
        for cursor in starts:
            page = await stack.records.page(
                ENVIRONMENT, STREAM.connection_row_id, STREAM.model, limit=limit, cursor=cursor
            )
            assert page.count == limit, (page.count, limit)
            body = page.body
    return (stack.cpu_seconds() - cpu) / rounds / len(starts) * 1e3, len(body)


async def walk(stack: Stack, limit: int, count: int) -> list[str | None]:
    """Cursors all over a stream that was saved whole."""
    starts: list[str | None] = [None]
    for _ in range(min(count // limit, 100) - 1):
        page = await stack.records.page(
            ENVIRONMENT, STREAM.connection_row_id, STREAM.model, limit=limit, cursor=starts[-1]
        )
        starts.append(page.next_cursor)
    return starts


async def alone(size: Size) -> list[Result]:
    """The records part in this process, in a small and a long stream."""
    count, long = size.pick(2000, 100_000, 100_000), size.pick(20_000, 1_000_000, 10_000_000)
    results: list[Result] = []
    small: dict[int, Result] = {}
    async with open_stack() as stack:
        await sync_once(stack, count, 0, uuid.uuid4())
        for limit, _ in TARGETS:
            starts = await walk(stack, limit, count)
            await pages(stack, limit, starts[:2])
            cpu, _ = await pages(stack, limit, starts)
            small[limit] = Result("P4", f"page of {limit}, records part alone: CPU", cpu, "ms")
            results.append(small[limit])
    async with open_stack() as stack:
        windows = await lengthen(stack, long, windows=size.pick(2, 20, 50))
        for limit, _ in TARGETS:
            cpu, _ = await pages(stack, limit, list(windows))
            large = Result("P4", small[limit].figure, cpu, "ms", conditions=f"{len(windows)} places in the stream")
            results.append(growth(small[limit], large, of="records", n=(count, long)))
    return results


def through_http(world: World, size: Size) -> Iterator[Result]:
    """The whole platform: the door, authentication, HTTP."""
    total, rounds = size.pick(1000, 20_000, 100_000), size.pick(3, 400, 2000)
    world.upstream.ask("/set", total=total, version=0, stop=0)
    world.run_sync("people")

    async def read(limit: int) -> Spent:
        wire, cursor, seen = Wire(world.port), "", 0
        headers = {
            **world.authorization,
            "Connection-Id": world.connection,
            "Provider-Config-Key": world.integration,
        }
        with measured(world.pid, label=f"p4 page of {limit}") as spent:
            for _ in range(rounds):
                path = f"/records?model=Person&limit={limit}" + (f"&cursor={cursor}" if cursor else "")
                status, body = await wire.ask(get(path, headers))
                assert status == 200, body[:300]
                page = msgspec.json.decode(body, type=Page)
                assert len(page.records) == min(limit, total), len(page.records)
                seen += len(page.records)
                cursor = page.next_cursor if page.next_cursor and seen + limit <= total else ""
                seen = seen if cursor else 0
        wire.close()
        return spent

    for limit, target in TARGETS:
        uvloop.run(read(limit))
        spent = uvloop.run(read(limit))
        said = f"{spent.conditions}; c=1, mean wall {spent.wall / rounds * 1000:.1f} ms with the client's parsing"
        yield Result(
            "P4", f"page of {limit}, GET /records: CPU", spent.cpu / rounds * 1e3, "ms", target, conditions=said
        )


class Page(msgspec.Struct):
    records: list[msgspec.Raw]
    next_cursor: str | None = None


def run(size: Size) -> Iterator[Result]:
    """Through HTTP, then the part alone in streams of two lengths."""
    with open_world(functions=True) as world:
        yield from through_http(world, size)
    began = time.monotonic()
    yield from uvloop.run(alone(size))
    print(f"streams made and read in {time.monotonic() - began:.0f} s", flush=True)


if __name__ == "__main__":
    benchmark(run)
