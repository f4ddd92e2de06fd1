"""A third party with one account a customer, a slow corner and a large file, and a webhook receiver; in a thread."""

import asyncio
import threading
from collections import Counter
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web

from dragoman import InvalidSignatureError, verify_webhook

PROJECT = Path(__file__).parent / "project"
PAGE = 20
LARGE = 50 * 1024 * 1024

ENTRY = """\
display_name: Bazaar
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
  base_url: ${connectionConfig.bazaar_url}/api
  headers:
    authorization: Bearer ${apiKey}
connection_config:
  bazaar_url:
    type: string
    title: Address
    description: Where the bazaar listens.
    example: http://127.0.0.1:4000
"""


@dataclass
class Stall:
    """One account: its wares as a sync saves them, and how often each purchase was made."""

    name: str
    wares: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])
    purchases: Counter[str] = field(default_factory=Counter[str])

    def put(self, number: int, price: int) -> None:
        id_ = f"{self.name}-{number:04d}"
        self.wares[id_] = {"id": id_, "account": self.name, "price": price}


@dataclass
class Bazaar:
    """What the third party knows. Changes are under `lock`."""

    url: str = ""
    stalls: dict[str, Stall] = field(default_factory=dict[str, Stall])
    """By key."""
    lock: threading.RLock = field(default_factory=threading.RLock)
    closing: threading.Event = field(default_factory=threading.Event)
    signing_keys: list[str] = field(default_factory=list[str])
    hooks: list[tuple[str, dict[str, Any]]] = field(default_factory=list[tuple[str, dict[str, Any]]])
    """(webhook-id, event) of every verified delivery, repeats included."""
    refused_hooks: int = 0
    hanging: int = 0
    sent: int = 0
    """Bytes of the large file that somebody took."""

    def open_stall(self, name: str, wares: int) -> str:
        """Return the key of a new account."""
        stall = Stall(name)
        for number in range(wares):
            stall.put(number, number)
        key = f"bazaar-key-{name}"
        self.stalls[key] = stall
        return key


def make_app(bazaar: Bazaar) -> web.Application:
    routes = web.RouteTableDef()

    def stall_of(request: web.Request) -> Stall:
        return bazaar.stalls[request.headers["Authorization"].removeprefix("Bearer ")]

    @routes.get("/api/me")
    async def me(request: web.Request) -> web.Response:
        return web.json_response({"account": stall_of(request).name, "echo": request.query.get("echo")})

    @routes.get("/api/wares")
    async def wares(request: web.Request) -> web.Response:
        stall, number = stall_of(request), int(request.query["page"])
        with bazaar.lock:
            ids = sorted(stall.wares)
            shown = [dict(stall.wares[i]) for i in ids[number * PAGE : (number + 1) * PAGE]]
        onward = str(number + 1) if (number + 1) * PAGE < len(ids) else None
        return web.json_response({"wares": shown, "next": onward})

    @routes.post("/api/purchases")
    async def purchase(request: web.Request) -> web.Response:
        stall, reference = stall_of(request), (await request.json())["reference"]
        stall.purchases[reference] += 1
        return web.json_response({"reference": reference, "account": stall.name}, status=201)

    @routes.get("/api/hang")
    async def hang(request: web.Request) -> web.Response:
        bazaar.hanging += 1
        while not bazaar.closing.is_set():
            await asyncio.sleep(0.1)  # plays a third party that never answers
        return web.json_response({"account": stall_of(request).name})

    @routes.get("/api/large")
    async def large(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse(headers={"content-length": str(LARGE)})
        await answer.prepare(request)
        piece = bytes(64 * 1024)
        with suppress(ConnectionError):  # a reader who leaves is no error here
            for _ in range(LARGE // len(piece)):
                await answer.write(piece)
                bazaar.sent += len(piece)
        return answer

    @routes.post("/hooks/{number}")
    async def hooks(request: web.Request) -> web.Response:
        try:
            event = verify_webhook(
                await request.read(), request.headers, bazaar.signing_keys[int(request.match_info["number"])]
            )
        except InvalidSignatureError:
            bazaar.refused_hooks += 1
            return web.Response(status=401)
        bazaar.hooks.append((request.headers["webhook-id"], event))
        return web.Response(status=204)

    @web.middleware
    async def guard(
        request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        given = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if request.path.startswith("/api/") and given not in bazaar.stalls:
            return web.json_response({"message": "no access"}, status=401)
        return await handler(request)

    app = web.Application(middlewares=[guard])
    app.add_routes(routes)
    return app


@contextmanager
def open_bazaar() -> Generator[Bazaar]:
    """Serve a bazaar on loopback from a thread until the block ends."""
    bazaar = Bazaar()
    started = threading.Event()

    async def serve() -> None:
        runner = web.AppRunner(make_app(bazaar), access_log=None, shutdown_timeout=0.5)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        bazaar.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        started.set()
        while not bazaar.closing.is_set():
            await asyncio.sleep(0.05)  # plays a server that another thread ends
        await runner.cleanup()

    thread = threading.Thread(target=lambda: asyncio.run(serve()), name="bazaar")
    thread.start()
    try:
        assert started.wait(10), "the bazaar did not start"
        yield bazaar
    finally:
        bazaar.closing.set()
        thread.join(10)


def write_entry(folder: Path) -> Path:
    """Write the catalogue entry; return the folder for DRAGOMAN_PROVIDERS_DIR."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "bazaar.yaml").write_text(ENTRY, encoding="utf-8")
    return folder
