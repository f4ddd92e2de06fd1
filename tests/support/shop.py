"""A third party whose data changes in a known way, and a webhook receiver: one small server in a thread of its own.

`Shop` holds what tests read and change directly; every change is under its lock. Each attempt of the sync opens a
`visit` and ends it, so the shop knows by itself which attempts ran to their end and whether two ever overlapped.
"""

import asyncio
import base64
import hashlib
import secrets
import threading
import time
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from aiohttp import web

from dragoman import InvalidSignatureError, verify_webhook

PROJECT = Path(__file__).parent / "shop_project"
KEY = "shop-key-5f1c"
CLIENT_ID = "shop-client"
CLIENT_SECRET = "shop-secret-0b7e"
PAGE = 1000

ENTRY = """\
display_name: Shop
categories: [e-commerce]
docs: https://example.com/docs
auth_mode: API_KEY
credentials:
  apiKey:
    type: string
    title: Key
    description: Any.
    secret: true
proxy:
  base_url: ${connectionConfig.shop_url}/api
  headers:
    authorization: Bearer ${apiKey}
connection_config:
  shop_url:
    type: string
    title: Address
    description: Where the shop listens.
    example: http://127.0.0.1:4000
"""
OAUTH_ENTRY = """\
display_name: Shop with consent
categories: [e-commerce]
docs: https://example.com/docs
auth_mode: OAUTH2
authorization_url: ${connectionConfig.shop_url}/authorize
token_url: ${connectionConfig.shop_url}/token
token_params:
  grant_type: authorization_code
refresh_params:
  grant_type: refresh_token
default_scopes: [items.read]
proxy:
  base_url: ${connectionConfig.shop_url}/api
connection_config:
  shop_url:
    type: string
    title: Address
    description: Where the shop listens.
    example: http://127.0.0.1:4000
"""


@dataclass
class Shop:
    """What the third party knows."""

    url: str = ""
    items: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])
    lock: threading.RLock = field(default_factory=threading.RLock)
    visits: int = 0
    ended: set[int] = field(default_factory=set[int])
    served: list[int] = field(default_factory=list[int])
    """The visit each page was served to, in order."""
    orders: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    gate: threading.Event = field(default_factory=threading.Event)
    """While it is clear, pages after the first wait."""
    held: set[int] = field(default_factory=set[int])
    """Visits that wait at the gate."""
    barred: set[int] = field(default_factory=set[int])
    """Visits whose pages wait whatever the gate says."""
    token_seconds: int = 3600
    access: dict[str, float] = field(default_factory=dict[str, float])
    refresh_token: str = ""
    refreshes: int = 0
    codes: dict[str, dict[str, str]] = field(default_factory=dict[str, dict[str, str]])
    signing_key: str = ""
    hooks: list[tuple[str, dict[str, Any]]] = field(default_factory=list[tuple[str, dict[str, Any]]])
    """(webhook-id, event) of every verified delivery, repeats included."""
    refused_hooks: int = 0
    hooks_up: bool = True
    """False: the receiver answers 503."""

    def __post_init__(self) -> None:
        self.gate.set()

    @property
    def hooks_url(self) -> str:
        return f"{self.url}/hooks"

    def hook_ids(self, kind: str) -> set[str]:
        """The webhook-ids received of messages of a type."""
        return {name for name, event in list(self.hooks) if event["type"] == kind}

    def put(self, id_: str, price: int) -> dict[str, Any]:
        """Make or change an item; return it as the sync will save it."""
        item = {"id": id_, "name": f"Item {id_}", "price": price, "tags": ["new"] if price % 3 == 0 else []}
        with self.lock:
            self.items[id_] = item
        return item

    def fill(self, count: int) -> None:
        for number in range(count):
            self.put(f"i{number:06d}", number)

    def page(self, number: int) -> tuple[list[dict[str, Any]], str | None]:
        with self.lock:
            ids = sorted(self.items)
            shown = [dict(self.items[i]) for i in ids[number * PAGE : (number + 1) * PAGE]]
            return shown, str(number + 1) if (number + 1) * PAGE < len(ids) else None

    def issue(self) -> dict[str, Any]:
        token = secrets.token_urlsafe(16)
        self.access[token] = time.monotonic() + self.token_seconds
        return {
            "access_token": token,
            "token_type": "Bearer",
            "expires_in": self.token_seconds,
            "refresh_token": self.refresh_token,
        }


def make_app(shop: Shop) -> web.Application:
    routes = web.RouteTableDef()

    @routes.post("/api/visits")
    async def open_visit(_request: web.Request) -> web.Response:
        shop.visits += 1
        return web.json_response({"visit": shop.visits})

    @routes.post("/api/visits/{visit}/end")
    async def end_visit(request: web.Request) -> web.Response:
        shop.ended.add(int(request.match_info["visit"]))
        return web.json_response({})

    @routes.get("/api/items")
    async def items(request: web.Request) -> web.Response:
        number, visit = int(request.query["page"]), int(request.query["visit"])
        shop.served.append(visit)
        while (number > 0 and not shop.gate.is_set()) or visit in shop.barred:
            shop.held.add(visit)
            await asyncio.sleep(0.02)  # plays a slow third party, whose gate another thread opens
        shop.held.discard(visit)
        shown, onward = shop.page(number)
        return web.json_response({"items": shown, "next": onward})

    @routes.get("/api/me")
    async def me(_request: web.Request) -> web.Response:
        return web.json_response({"user": "ada"})

    @routes.post("/api/orders")
    async def order(request: web.Request) -> web.Response:
        made = {"number": len(shop.orders) + 1, **(await request.json())}
        shop.orders.append(made)
        while not shop.gate.is_set():
            await asyncio.sleep(0.02)  # plays a slow third party, whose gate another thread opens
        return web.json_response(made, status=201)

    @routes.get("/authorize")
    async def authorize(request: web.Request) -> web.Response:
        code = secrets.token_urlsafe(12)
        shop.codes[code] = dict(request.query)
        raise web.HTTPFound(
            f"{request.query['redirect_uri']}?{urlencode({'code': code, 'state': request.query['state']})}"
        )

    @routes.post("/token")
    async def token(request: web.Request) -> web.Response:
        form = {k: str(v) for k, v in (await request.post()).items()}
        given = (form.get("client_id"), form.get("client_secret"))
        if request.headers.get("Authorization", "").startswith("Basic "):
            given = tuple(base64.b64decode(request.headers["Authorization"][6:]).decode().split(":", 1))
        if given != (CLIENT_ID, CLIENT_SECRET):
            return web.json_response({"error": "invalid_client"}, status=401)
        if form["grant_type"] == "authorization_code":
            asked = shop.codes.pop(form["code"], None)
            challenge = (
                base64.urlsafe_b64encode(hashlib.sha256(form["code_verifier"].encode()).digest()).rstrip(b"=").decode()
            )
            if asked is None or asked["code_challenge"] != challenge:
                return web.json_response({"error": "invalid_grant"}, status=400)
        elif form["refresh_token"] != shop.refresh_token:
            return web.json_response({"error": "invalid_grant"}, status=400)
        else:
            shop.refreshes += 1
        shop.refresh_token = secrets.token_urlsafe(16)
        return web.json_response(shop.issue())

    @routes.post("/hooks")
    async def hooks(request: web.Request) -> web.Response:
        body = await request.read()
        if not shop.hooks_up:
            return web.Response(status=503)
        try:
            event = verify_webhook(body, request.headers, shop.signing_key)
        except InvalidSignatureError:
            shop.refused_hooks += 1
            return web.Response(status=401)
        shop.hooks.append((request.headers["webhook-id"], event))
        return web.Response(status=204)

    @web.middleware
    async def guard(
        request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        if request.path.startswith("/api/"):
            given = request.headers.get("Authorization", "").removeprefix("Bearer ")
            if given != KEY and shop.access.get(given, 0.0) < time.monotonic():
                return web.json_response({"message": "no access"}, status=401)
        return await handler(request)

    app = web.Application(middlewares=[guard])
    app.add_routes(routes)
    return app


@contextmanager
def open_shop() -> Generator[Shop]:
    """Serve a shop on loopback from a thread until the block ends."""
    shop = Shop()
    started, stopping = threading.Event(), threading.Event()

    async def serve() -> None:
        runner = web.AppRunner(make_app(shop), access_log=None, shutdown_timeout=0.2)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        shop.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        started.set()
        while not stopping.is_set():
            await asyncio.sleep(0.05)  # plays a server that another thread ends
        await runner.cleanup()

    thread = threading.Thread(target=lambda: asyncio.run(serve()), name="shop")
    thread.start()
    try:
        assert started.wait(10), "the shop did not start"
        yield shop
    finally:
        shop.gate.set()
        shop.barred.clear()
        stopping.set()
        thread.join(10)


def write_entries(folder: Path) -> Path:
    """Write the shop's catalogue entries; return the folder for DRAGOMAN_PROVIDERS_DIR."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "shop.yaml").write_text(ENTRY, encoding="utf-8")
    (folder / "shop-consent.yaml").write_text(OAUTH_ENTRY, encoding="utf-8")
    return folder
