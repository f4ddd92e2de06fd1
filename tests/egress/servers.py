"""Small foreign servers on loopback: aiohttp applications, and raw TCP ones for what no framework would send."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager

from aiohttp import web

from dragoman_server.egress import EgressClient, EgressRules

LOOPBACK = EgressRules(allow=["127.0.0.0/8", "::1/128"])
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def serving(handler: Handler, host: str = "127.0.0.1", **options: object) -> AsyncGenerator[str]:
    """Serve `handler` for every path and method; gives the base URL."""
    app = web.Application(client_max_size=200 * 1024 * 1024)
    app.router.add_route("*", "/{path:.*}", handler)
    runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.1, **options)  # type: ignore[arg-type]
    await runner.setup()
    site = web.TCPSite(runner, host, 0)
    await site.start()
    try:
        yield f"http://{host}:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


Conversation = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def raw_serving(conversation: Conversation) -> AsyncGenerator[str]:
    """Serve raw TCP; `conversation` is called for each connection; ends when the block does."""
    tasks: set[asyncio.Task[None]] = set()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            await conversation(reader, writer)
        except (ConnectionError, asyncio.CancelledError, asyncio.IncompleteReadError):
            pass
        finally:
            tasks.discard(task)
            writer.close()

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def read_head(reader: asyncio.StreamReader) -> bytes:
    return await reader.readuntil(b"\r\n\r\n")


def naming(names: Mapping[str, Sequence[str]]) -> Callable[[str], Awaitable[Sequence[str]]]:
    """A resolver that knows these names only."""

    async def resolve(host: str) -> Sequence[str]:
        if host not in names:
            raise OSError(f"no such name: {host}")
        return names[host]

    return resolve


@asynccontextmanager
async def client(**options: object) -> AsyncGenerator[EgressClient]:
    async with EgressClient(**({"rules": LOOPBACK} | options)) as made:  # type: ignore[arg-type]
        yield made


def port_of(url: str) -> int:
    return int(url.rsplit(":", 1)[1])
