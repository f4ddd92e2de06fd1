"""A platform's connect part over a real Postgres, and a small authorization server we own."""

import asyncio
import secrets
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from aiohttp import web

from dragoman_server.connect.authorize import Outcome
from dragoman_server.connect.connecting import Connected, ConnectFailed
from dragoman_server.connect.model import ConnectSession, RefreshFailed, SessionOptions
from dragoman_server.connect.refresh import Timing
from dragoman_server.control.accounts import Accounts
from dragoman_server.control.connections import Connections
from dragoman_server.control.environments import Environments
from dragoman_server.control.integrations import Integrations
from dragoman_server.control.model import Account, Connection, Environment, Integration
from dragoman_server.db import Conn, Database, Invalidations
from dragoman_server.egress.client import EgressClient
from dragoman_server.egress.rules import EgressRules
from dragoman_server.kit.clock import SystemClock
from dragoman_server.kit.errors import ConflictError
from dragoman_server.kit.secret import Secret
from dragoman_server.logs.service import Logs
from dragoman_server.providers.catalogue import Catalogue, load_catalogue
from dragoman_server.providers.model import Credential
from dragoman_server.vault import KeyRing, Vault
from tests.connect.parts import Hooks, Parts, assemble

ENTRIES = {
    "acme": """
display_name: Acme
docs: https://acme.example/docs
categories: [crm]
auth_mode: OAUTH2
authorization_url: {base}/authorize
token_url: {base}/token
token_response_metadata: [instance_url]
redirect_uri_metadata: [realm]
issuer: {base}
proxy:
  base_url: {base}/api
  verification:
    method: GET
    endpoints: [/me]
""",
    "acme-forever": """
display_name: Acme forever
docs: https://acme.example/docs
categories: [crm]
auth_mode: OAUTH2
authorization_url: {base}/authorize
token_url: {base}/token-without-life
proxy:
  base_url: {base}/api
""",
    "keyed": """
display_name: Keyed
docs: https://keyed.example/docs
categories: [crm]
auth_mode: API_KEY
connection_config:
  region:
    type: string
    title: Region
    description: Where the account lives
    pattern: "^[a-z]{{2}}$"
    example: eu
    suffix: .keyed.example
credentials:
  apiKey:
    type: string
    title: Your API key
    description: From the settings page
    secret: true
proxy:
  base_url: {base}/api
  headers:
    authorization: Bearer ${{apiKey}}
  verification:
    method: GET
    endpoints: [/me]
""",
    "simple": """
display_name: Simple
docs: https://simple.example/docs
categories: [crm]
auth_mode: BASIC
proxy:
  base_url: {base}/api
""",
    "machine": """
display_name: Machine
docs: https://machine.example/docs
categories: [crm]
auth_mode: OAUTH2_CC
token_url: {base}/token
token_params:
  grant_type: client_credentials
proxy:
  base_url: {base}/api
""",
}


@dataclass
class AuthServer:
    """Codes are single use and bound to their challenge; refresh tokens rotate, a second use revokes the family."""

    base: str = ""
    life: int | None = 3600
    pause: float = 0.0
    codes: dict[str, dict[str, str]] = field(default_factory=dict[str, dict[str, str]])
    live: dict[str, int] = field(default_factory=dict[str, int])
    spent: dict[str, int] = field(default_factory=dict[str, int])
    revoked: set[int] = field(default_factory=set[int])
    access: set[str] = field(default_factory=set[str])
    calls: Counter[str] = field(default_factory=Counter[str])
    breaks: list[int] = field(default_factory=list[int])
    families: int = 0
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    keys: set[str] = field(default_factory=lambda: {"good-key-123456"})
    seen: list[str] = field(default_factory=list[str])

    def app(self) -> web.Application:
        app = web.Application()
        app.router.add_get("/authorize", self._authorize)
        app.router.add_post("/token", self._token)
        app.router.add_post("/token-without-life", self._token)
        app.router.add_get("/api/me", self._me)
        return app

    async def _authorize(self, request: web.Request) -> web.Response:
        code = secrets.token_hex(16)
        self.codes[code] = dict(request.query)
        back = f"{request.query['redirect_uri']}?code={code}&state={request.query['state']}&realm=r1&iss={self.base}"
        return web.Response(status=302, headers={"Location": back})

    async def _token(self, request: web.Request) -> web.Response:
        form = {k: str(v) for k, v in (await request.post()).items()}
        self.seen.append(form.get("client_id", ""))
        self.calls[form["grant_type"]] += 1
        self.asked.set()
        if self.pause:
            await asyncio.sleep(self.pause)
        if self.breaks:
            return web.json_response({"error": "server_error"}, status=self.breaks.pop(0))
        if form["grant_type"] == "authorization_code":
            return self._redeem(form)
        if form["grant_type"] == "client_credentials":
            good = form.get("client_secret") == "own-secret"
            return self._answer(None, request) if good else web.json_response({"error": "invalid_client"}, status=401)
        return self._refresh(form["refresh_token"], request)

    def _redeem(self, form: dict[str, str]) -> web.Response:
        asked = self.codes.pop(form.get("code", ""), None)
        from dragoman_server.connect.grants.pkce import challenge

        if asked is None or challenge(form.get("code_verifier", "")) != asked["code_challenge"]:
            return web.json_response({"error": "invalid_grant"}, status=400)
        self.families += 1
        return self._answer(self.families, None)

    def _refresh(self, token: str, request: web.Request) -> web.Response:
        family = self.live.pop(token, None)
        if family is None or family in self.revoked:
            self.revoked |= {self.spent[token]} if token in self.spent else set()
            return web.json_response({"error": "invalid_grant"}, status=400)
        self.spent[token] = family
        return self._answer(family, request)

    def _answer(self, family: int | None, request: web.Request | None) -> web.Response:
        access = f"access-{secrets.token_hex(8)}"
        self.access.add(access)
        body: dict[str, Any] = {
            "access_token": access,
            "token_type": "bearer",
            "instance_url": "https://one.acme.example",
        }
        if self.life is not None and (request is None or "without-life" not in request.path):
            body["expires_in"] = str(self.life)
        if family is not None:
            refresh = f"refresh-{secrets.token_hex(8)}"
            self.live[refresh] = family
            body["refresh_token"] = refresh
        return web.json_response(body)

    async def _me(self, request: web.Request) -> web.Response:
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        return web.json_response({"ok": True}, status=200 if token in self.access | self.keys else 401)


@dataclass
class Told:
    """What the stories heard."""

    connected: list[Connected] = field(default_factory=list[Connected])
    failed: list[ConnectFailed] = field(default_factory=list[ConnectFailed])
    refresh_failed: list[RefreshFailed] = field(default_factory=list[RefreshFailed])
    deleted: list[Connection] = field(default_factory=list[Connection])
    outcomes: list[Outcome] = field(default_factory=list[Outcome])
    explode: bool = False

    def hooks(self) -> Hooks:
        async def on_connected(conn: Conn, connected: Connected) -> None:
            if self.explode:
                raise ConflictError("the story fails")
            self.connected.append(connected)

        async def on_connect_failed(failed: ConnectFailed) -> None:
            self.failed.append(failed)

        async def on_refresh_failed(conn: Conn, failed: RefreshFailed) -> None:
            self.refresh_failed.append(failed)

        async def on_deleting(conn: Conn, connection: Connection, syncs: Any) -> None:
            self.deleted.append(connection)

        async def tell(outcome: Outcome) -> None:
            self.outcomes.append(outcome)

        return Hooks(on_connected, on_connect_failed, on_refresh_failed, on_deleting, tell)


@dataclass
class Process:
    """One process of the platform: its own pool, caches and refresher over the shared database."""

    database: Database
    vault: Vault
    invalidations: Invalidations
    integrations: Integrations
    connections: Connections
    egress: EgressClient
    logs: Logs
    parts: Parts
    catalogue: Catalogue


@asynccontextmanager
async def process(
    url: str,
    folder: Path,
    told: Told,
    *,
    timing: Timing | None = None,
    listen: bool = False,
    public_url: str = "http://dragoman.test",
) -> AsyncGenerator[Process]:
    database = Database(url, min_size=1, max_size=6)
    await database.open()
    invalidations = Invalidations(url)
    listener = asyncio.create_task(invalidations.run()) if listen else None
    vault = Vault(database=database, keyring=KeyRing(b"K" * 32), invalidations=invalidations)
    await vault.open()
    integrations = Integrations(database=database, vault=vault, invalidations=invalidations)
    connections = Connections(database=database, vault=vault, invalidations=invalidations)
    logs = Logs(database=database)
    catalogue = load_catalogue(folder / "providers")
    async with EgressClient(EgressRules(["127.0.0.0/8"])) as egress:
        parts = assemble(
            database=database,
            vault=vault,
            invalidations=invalidations,
            clock=SystemClock(),
            catalogue=catalogue,
            egress=egress,
            integrations=integrations,
            connections=connections,
            logs=logs,
            public_url=public_url,
            spill_folder=folder / "spill",
            hooks=told.hooks(),
            timing=timing,
        )
        try:
            yield Process(database, vault, invalidations, integrations, connections, egress, logs, parts, catalogue)
        finally:
            await parts.refresher.stop(grace=1.0)
            await invalidations.stop()
            if listener is not None:
                await listener
            await database.close()


@asynccontextmanager
async def auth_server() -> AsyncGenerator[AuthServer]:
    server = AuthServer()
    runner = web.AppRunner(server.app())
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    server.base = f"http://127.0.0.1:{port}"
    try:
        yield server
    finally:
        await runner.cleanup()


def write_entries(folder: Path, base: str) -> None:
    (folder / "providers").mkdir(exist_ok=True)
    for name, text in ENTRIES.items():
        (folder / "providers" / f"{name}.yaml").write_text(text.format(base=base), "utf-8")


@dataclass
class World:
    url: str
    folder: Path
    server: AuthServer
    told: Told
    one: Process
    account: Account
    environment: Environment

    async def integration(self, provider: str = "acme", key: str | None = None) -> Integration:
        app = {"type": "OAUTH2", "client_id": "app", "client_secret": "app-secret", "scopes": "read,write"}
        return await self.one.integrations.create(
            self.environment.id, key or provider, provider, credentials=app if provider.startswith("acme") else None
        )

    async def session(self, **options: Any) -> tuple[ConnectSession, Secret]:
        return await self.one.parts.connect.create_session(
            self.environment.id, self.account.id, SessionOptions(**options)
        )

    async def imported(self, integration: Integration, *, expires_in: float = -1.0, **values: Any) -> Connection:
        """A connection whose token (by default expired) came by import, with a refresh token the server knows."""
        from datetime import UTC, datetime, timedelta

        self.server.families += 1
        token = f"refresh-{secrets.token_hex(8)}"
        self.server.live[token] = self.server.families
        expires_at = (datetime.now(UTC) + timedelta(seconds=expires_in)).isoformat()
        credentials = {"type": "OAUTH2", "access_token": "old", "refresh_token": token, "expires_at": expires_at}
        made = await self.one.parts.connect.import_connection(
            self.environment.id,
            integration.unique_key,
            {k: v for k, v in {**credentials, **values}.items() if v},
            connection_id="c1",
        )
        return made.connection

    async def fresh(self, connection: Connection, integration: Integration, **how: Any) -> Credential:
        return await self.one.parts.credentials.fresh(self.environment.id, connection, integration, **how)


@asynccontextmanager
async def world(url: str, folder: Path, *, timing: Timing | None = None) -> AsyncGenerator[World]:
    told = Told()
    async with auth_server() as server:
        write_entries(folder, server.base)
        async with process(url, folder, told, timing=timing) as one:
            accounts = Accounts(database=one.database, vault=one.vault, invalidations=one.invalidations)
            environments = Environments(database=one.database, vault=one.vault, invalidations=one.invalidations)
            account = await accounts.create("Acme")
            environment = await environments.create(account.id, "dev")
            yield World(url, folder, server, told, one, account, environment)


async def until(true: Callable[[], Awaitable[bool]]) -> None:
    """Wait for something another process or the clock brings about."""
    async with asyncio.timeout(20):
        while not await true():
            await asyncio.sleep(0.02)


def params_of(url: str) -> dict[str, str]:
    return {k: v[0] for k, v in parse_qs(urlsplit(url).query).items()}
