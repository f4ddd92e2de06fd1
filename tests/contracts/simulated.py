"""The connect part and the proxy over a real Postgres, their outbound calls answered by the simulator."""

import asyncio
import json
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from dragoman_server.connect.connecting import Connected, ConnectFailed
from dragoman_server.connect.model import RefreshFailed, SessionOptions
from dragoman_server.control.accounts import Accounts
from dragoman_server.control.connections import Connections
from dragoman_server.control.environments import Environments
from dragoman_server.control.integrations import Integrations
from dragoman_server.control.model import Account, Connection, Environment, Integration
from dragoman_server.db import Conn, Database, Invalidations
from dragoman_server.kit.clock import SystemClock
from dragoman_server.logs.service import Logs
from dragoman_server.outbox import Relay
from dragoman_server.providers.catalogue import Catalogue
from dragoman_server.providers.model import Provider
from dragoman_server.proxy import Proxy, ProxyRequest, Target
from dragoman_server.simulator import SimulatedEgress, SimulatorApp, World
from dragoman_server.simulator.exchange import Answer, Received
from dragoman_server.simulator.serving import serving
from dragoman_server.vault import KeyRing, Vault
from tests.connect.parts import Hooks, Parts, assemble

PUBLIC_URL = "http://dragoman.test"


@dataclass
class RecordingWorld(World):
    """A world that writes down what it was asked."""

    def __init__(self, provider: Provider, **how: Any) -> None:
        super().__init__([provider], **how)
        self.asked: list[tuple[Received, Answer]] = []

    def answer(self, request: Received) -> Answer:
        answer = super().answer(request)
        self.asked.append((request, answer))
        return answer


@dataclass
class Called:
    status: int
    body: Any
    headers: Mapping[str, str]
    attempts: int


@dataclass
class Simulation:
    app: SimulatorApp
    egress: SimulatedEgress
    parts: Parts
    proxy: Proxy
    integrations: Integrations
    connections: Connections
    catalogue: Catalogue
    account: Account
    environment: Environment
    relay: Relay
    origin: str
    world: RecordingWorld = field(init=False)

    def play(self, name: str) -> Provider:
        """From now on only this entry's vendor exists."""
        provider = self.catalogue.require(name)
        self.app.world = self.world = RecordingWorld(provider)
        return provider

    async def integration(
        self, provider: Provider, credentials: Mapping[str, Any] | None = None, **more: Any
    ) -> Integration:
        return await self.integrations.create(
            self.environment.id,
            provider.name,
            provider.name,
            credentials=None if credentials is None else {**credentials},
            **more,
        )

    async def session(self, integration: Integration, preset: Mapping[str, Any] | None = None) -> Any:
        key = integration.unique_key
        defaults = {} if preset is None else {key: {"connection_config": dict(preset)}}
        options = SessionOptions(allowed_integrations=[key], integrations_config_defaults=defaults)
        session, _ = await self.parts.connect.create_session(self.environment.id, self.account.id, options)
        return session

    async def browse(self, url: str) -> tuple[int, str]:
        """Open `url` as a browser does; return the status and where it is sent."""
        base, _, fragment = url.partition("#")
        if fragment:  # a page's script would read it
            base += ("&" if "?" in base else "?") + fragment.lstrip("?")
        async with self.egress.request("GET", base) as answer:
            await answer.read(1_000_000)
            return answer.status, answer.header("location") or ""

    async def call(
        self, integration: Integration, connection: Connection, endpoint: str, *, method: str = "GET",
        query: Sequence[tuple[str, str]] = (), body: Any = None, retries: int = 0,
    ) -> Called:  # fmt: skip
        target = Target(self.environment.id, integration, connection)
        data = None if body is None else json.dumps(body).encode()
        headers = [] if body is None else [("content-type", "application/json")]
        request = ProxyRequest(method, endpoint, query=query, headers=headers, body=data, retries=retries)
        async with self.proxy.call(target, request) as answer:
            text = await answer.read(10_000_000)
            return Called(answer.status, json.loads(text or b"null"), dict(answer.headers), answer.attempts)


def query_of(url: str) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(url).query, keep_blank_values=True))


@asynccontextmanager
async def simulation(url: str, folder: Path, catalogue: Catalogue) -> AsyncGenerator[Simulation]:
    app = SimulatorApp(World([]))
    database = Database(url, min_size=1, max_size=4)
    await database.open()
    invalidations = Invalidations(url)
    vault = Vault(database=database, keyring=KeyRing(b"K" * 32), invalidations=invalidations)
    await vault.open()
    common: dict[str, Any] = {"database": database, "vault": vault, "invalidations": invalidations}
    integrations, connections = Integrations(**common), Connections(**common)
    logs = Logs(database=database)
    async with serving(app) as origin, SimulatedEgress(origin) as egress:
        parts = assemble(
            **common, clock=SystemClock(), catalogue=catalogue, egress=egress, integrations=integrations,
            connections=connections, logs=logs, public_url=PUBLIC_URL, spill_folder=folder, hooks=_no_hooks(),
        )  # fmt: skip
        proxy = Proxy(
            egress=egress, catalogue=catalogue, fresh_credential=parts.credentials.fresh,
            integration_credentials=integrations.credentials, logs=logs, sleep=_no_wait,
        )  # fmt: skip
        account = await Accounts(**common).create("Acme")
        environment = await Environments(**common).create(account.id, "dev")
        try:
            relay = Relay(database=database, handlers={"revoke": parts.revoking.handle}, listen_url=url)
            yield Simulation(
                app, egress, parts, proxy, integrations, connections, catalogue, account, environment, relay, origin
            )
        finally:
            await parts.refresher.stop(grace=1.0)
            await database.close()


async def _no_wait(_seconds: float) -> None:
    await asyncio.sleep(0)


def _no_hooks() -> Hooks:
    async def on_connected(conn: Conn, connected: Connected) -> None: ...
    async def on_connect_failed(failed: ConnectFailed) -> None: ...
    async def on_refresh_failed(conn: Conn, failed: RefreshFailed) -> None: ...
    async def on_deleting(conn: Conn, connection: Connection, syncs: Any) -> None: ...

    return Hooks(on_connected, on_connect_failed, on_refresh_failed, on_deleting)
