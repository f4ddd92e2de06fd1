"""MCP clients that nobody registers anew: the integration's own, and our metadata document, read by a strict server."""

import secrets
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from aiohttp import web

from dragoman_server.connect.grants.pkce import challenge
from tests.connect.browsing import API, browser
from tests.connect.world import World, params_of
from tests.connect.world import world as make_world

KNOWN = """
display_name: Known MCP
docs: https://mcp.example/docs
categories: [mcp]
auth_mode: MCP_OAUTH2
client_registration: {how}
authorization_url: {base}/authorize
token_url: {base}/token
proxy: {{ base_url: '{base}/mcp' }}
"""
FOUND = """
display_name: Any MCP
docs: https://mcp.example/docs
categories: [mcp]
auth_mode: MCP_OAUTH2_GENERIC
connection_config:
  mcp_server_url: {{ type: string, title: Address, description: Of the server, format: uri }}
proxy: {{ base_url: '${{connectionConfig.mcp_server_url}}' }}
"""
SECRET = "static-secret-0123456789"


@dataclass
class Strict:
    """Knows `static` by its secret, anybody else by the document at their id, which it reads with `fetch`."""

    base: str = ""
    fetch: Callable[[str], Awaitable[httpx.Response]] | None = None
    asked: dict[str, dict[str, str]] = field(default_factory=dict[str, dict[str, str]])
    pushed: dict[str, dict[str, str]] = field(default_factory=dict[str, dict[str, str]])
    refresh: dict[str, str] = field(default_factory=dict[str, str])

    async def _may(self, client_id: str, redirect_uri: str) -> bool:
        if client_id == "static":
            return redirect_uri == f"{API}/oauth/callback"
        assert self.fetch is not None
        document = (await self.fetch(client_id)).json()
        return document["client_id"] == client_id and redirect_uri in document["redirect_uris"]

    async def metadata(self, request: web.Request) -> web.Response:
        told: dict[str, Any] = {
            "issuer": self.base,
            "authorization_endpoint": f"{self.base}/authorize",
            "token_endpoint": f"{self.base}/token",
            "pushed_authorization_request_endpoint": f"{self.base}/par",
            "require_pushed_authorization_requests": True,
            "code_challenge_methods_supported": ["S256"],
        }
        return web.json_response(told)

    async def par(self, request: web.Request) -> web.Response:
        form = {k: str(v) for k, v in (await request.post()).items()}
        reference = f"urn:ietf:params:oauth:request_uri:{secrets.token_hex(8)}"
        self.pushed[reference] = form
        good = form.get("client_secret") == SECRET
        body = {"request_uri": reference, "expires_in": 60} if good else {"error": "invalid_client"}
        return web.json_response(body, status=201 if good else 401)

    async def authorize(self, request: web.Request) -> web.Response:
        asked = self.pushed.pop(request.query.get("request_uri", ""), None) or dict(request.query)
        if not await self._may(asked["client_id"], asked["redirect_uri"]):
            return web.Response(status=400, text="unknown client or redirect")
        code = secrets.token_hex(8)
        self.asked[code] = asked
        return web.Response(
            status=302, headers={"Location": f"{asked['redirect_uri']}?code={code}&state={asked['state']}"}
        )

    async def token(self, request: web.Request) -> web.Response:
        form = {k: str(v) for k, v in (await request.post()).items()}
        if form["client_id"] == "static" and form.get("client_secret") != SECRET:
            return web.json_response({"error": "invalid_client"}, status=401)
        if form["grant_type"] == "refresh_token":
            good = self.refresh.pop(form["refresh_token"], None) == form["client_id"]
        else:
            asked = self.asked.pop(form["code"])
            same = all(asked[name] == form[name] for name in ("client_id", "redirect_uri"))
            good = same and challenge(form["code_verifier"]) == asked["code_challenge"]
        if not good:
            return web.json_response({"error": "invalid_grant"}, status=400)
        again = secrets.token_hex(8)
        self.refresh[again] = form["client_id"]
        return web.json_response(
            {"access_token": secrets.token_hex(8), "refresh_token": again, "expires_in": 60, "token_type": "Bearer"}
        )


@pytest.fixture
async def strict(tmp_path: Path) -> AsyncGenerator[Strict]:
    made = Strict()
    app = web.Application()
    app.router.add_get("/authorize", made.authorize)
    app.router.add_post("/token", made.token)
    app.router.add_post("/par", made.par)
    app.router.add_get("/.well-known/oauth-authorization-server", made.metadata)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    made.base = f"http://127.0.0.1:{runner.addresses[0][1]}"
    (tmp_path / "providers").mkdir()
    texts = {"cimd": KNOWN, "static": KNOWN, "found": FOUND}
    for name, text in texts.items():
        (tmp_path / "providers" / f"{name}.yaml").write_text(text.format(base=made.base, how=name), "utf-8")
    yield made
    await runner.cleanup()


@pytest.fixture
async def land(database_url: str, tmp_path: Path, strict: Strict) -> AsyncGenerator[World]:
    async with make_world(database_url, tmp_path) as world:
        yield world


async def connect(land: World, strict: Strict, name: str, **query: str) -> tuple[httpx.Response, str]:
    """Go to the server and back as a browser does; return the callback page and where the browser was sent."""
    _, token = await land.session(allowed_integrations=[name], tags={"team": "red"})
    async with browser(land) as client:
        strict.fetch = client.get
        params = {"connect_session_token": token.reveal(), **query}
        away = (await client.get(f"/oauth/connect/{name}", params=params)).headers["location"]
        async with httpx.AsyncClient() as person:
            answer = await person.get(away)
        assert answer.status_code == 302, answer.text
        back = urlsplit(answer.headers["location"])
        return await client.get(f"{back.path}?{back.query}"), away


async def test_a_server_reads_our_document_and_gives_tokens_to_the_client_it_describes(
    land: World, strict: Strict
) -> None:
    integration = await land.one.integrations.create(land.environment.id, "cimd", "cimd")

    page, away = await connect(land, strict, "cimd")

    assert page.status_code == 200, page.text
    assert params_of(away)["client_id"] == f"{API}/oauth/client-metadata/{land.environment.uuid}/cimd"
    [connected] = land.told.connected
    first = await land.fresh(connected.connection, integration)
    second = await land.fresh(connected.connection, integration, force=True)
    assert first.values["access_token"] != second.values["access_token"]


async def test_a_static_client_signs_in_with_its_secret_and_without_one_is_told(land: World, strict: Strict) -> None:
    app = {"type": "MCP_OAUTH2", "client_id": "static", "client_secret": SECRET}
    integration = await land.one.integrations.create(land.environment.id, "static", "static", credentials=app)
    await land.one.integrations.create(land.environment.id, "bare", "static")

    page, away = await connect(land, strict, "static")
    _, token = await land.session(allowed_integrations=["bare"], tags={"team": "red"})
    async with browser(land) as client:
        bare = await client.get("/oauth/connect/bare", params={"connect_session_token": token.reveal()})

    assert page.status_code == 200, page.text
    assert params_of(away)["client_id"] == "static"
    assert await land.fresh(land.told.connected[0].connection, integration, force=True)
    assert bare.status_code == 400
    assert "has no client id yet" in bare.text


async def test_a_discovered_server_that_demands_pushed_requests_gets_them(land: World, strict: Strict) -> None:
    app = {"type": "MCP_OAUTH2_GENERIC", "client_id": "static", "client_secret": SECRET}
    await land.one.integrations.create(land.environment.id, "found", "found", credentials=app)

    page, away = await connect(land, strict, "found", **{"params[mcp_server_url]": f"{strict.base}/mcp"})

    assert page.status_code == 200, page.text
    assert set(params_of(away)) == {"client_id", "request_uri"}
