"""A customer's server on loopback, and a deliverer that talks to it."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from dragoman_server.control.model import WebhookSettings
from dragoman_server.db import Database
from dragoman_server.egress import EgressClient, EgressRules
from dragoman_server.kit.ids import ConnectionRowId, EnvironmentId
from dragoman_server.kit.secret import Secret
from dragoman_server.logs import Logs
from dragoman_server.outbox import Fact, Relay, put
from dragoman_server.webhooks import ConnectionRef, Deliverer, SigningKeys, Webhooks, fact_for_auth

ENV, OTHER = EnvironmentId(7), EnvironmentId(8)
KEY = Secret("b3a1f0de-0000-4000-8000-feedfacecafe")


@dataclass
class Received:
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Receiver:
    """Remembers each request; answers with `status`, or waits for `gate` on /hang."""

    url: str = ""
    status: int = 200
    text: str = "ok"
    answer_headers: dict[str, str] = field(default_factory=dict[str, str])
    requests: list[Received] = field(default_factory=list[Received])
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    def count(self, path: str) -> int:
        return sum(r.path == path for r in self.requests)

    async def wait_for(self, path: str, count: int) -> None:
        """Wait until that many requests came for a path."""
        async with asyncio.timeout(20), self.changed:
            await self.changed.wait_for(lambda: self.count(path) >= count)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        self.requests.append(Received(request.path, {k.lower(): v for k, v in request.headers.items()}, body))
        self.arrived.set()
        async with self.changed:
            self.changed.notify_all()
        if request.path.startswith("/hang"):
            await self.gate.wait()
        return web.Response(status=self.status, text=self.text, headers=self.answer_headers)


@asynccontextmanager
async def receiver() -> AsyncGenerator[Receiver, None]:
    made = Receiver()
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", made.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    made.url = f"http://127.0.0.1:{port}"
    try:
        yield made
    finally:
        made.gate.set()
        await runner.cleanup()


async def signing_keys(_environment_id: EnvironmentId) -> SigningKeys:
    return SigningKeys(KEY)


def targets(settings: WebhookSettings) -> Callable[[EnvironmentId], Awaitable[WebhookSettings]]:
    async def find(_environment_id: EnvironmentId) -> WebhookSettings:
        return settings

    return find


def connection(row_id: int = 1, override: str | None = None) -> ConnectionRef:
    return ConnectionRef(ENV, ConnectionRowId(row_id), f"conn-{row_id}", "github-demo", "github", override)


def auth_fact(event: str = "e1", *, row_id: int = 1, override: str | None = None) -> Fact:
    return fact_for_auth(
        connection(row_id, override),
        event,
        auth_mode="OAUTH2",
        environment="dev",
        operation="creation",
        success=True,
        tags={"plan": "größer ✓"},
    )


class Stand:
    """The part as a process has it."""

    def __init__(self, database: Database, egress: EgressClient, settings: WebhookSettings, **options: Any) -> None:
        self.database = database
        self.logs = Logs(database=database)
        self.webhooks = Webhooks(database=database, targets=targets(settings), logs=self.logs)
        self.relay = Relay(database=database, handlers={"webhook": self.webhooks.handle})
        self.deliverer = Deliverer(
            database=database,
            egress=egress,
            signing_keys=options.pop("signing_keys", signing_keys),
            version="1.2.3",
            logs=self.logs,
            chance=lambda: 0.5,
            **options,
        )

    async def say(self, *facts: Fact) -> None:
        """Commit facts and let the relay make deliveries of them."""
        async with self.database.transaction() as conn:
            await put(conn, facts)
        await self.relay.once()


@asynccontextmanager
async def egress(allow: str = "127.0.0.0/8") -> AsyncGenerator[EgressClient, None]:
    async with EgressClient(EgressRules([allow] if allow else [])) as client:
        yield client
