"""What the doors count: requests by door and status, and how long they took to answer."""

import time
from collections.abc import MutableMapping
from typing import Any

from prometheus_client import Counter, Histogram

from dragoman_server.kit.telemetry import REGISTRY
from dragoman_server.web.asgi import App, Message, Receive, Scope, Send

REQUESTS = Counter(
    "dragoman_http_requests_total", "Requests answered, by door and status.", ["door", "status"], registry=REGISTRY
)
SECONDS = Histogram(
    "dragoman_http_first_byte_seconds",
    "From a request's arrival to the start of its answer.",
    ["door"],
    registry=REGISTRY,
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)
_HOT = {"proxy": "proxy", "records": "records", "action": "action"}


class Measured:
    """Wraps the public port."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._counters: dict[tuple[str, int], Any] = {}
        self._seconds = {door: SECONDS.labels(door) for door in (*_HOT.values(), "api")}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        door = _HOT.get(scope["path"].split("/", 2)[1] if len(scope["path"]) > 1 else "", "api")
        started = time.perf_counter()

        async def counting(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._seconds[door].observe(time.perf_counter() - started)
                self._count(door, message)
            await send(message)

        await self._app(scope, receive, counting)

    def _count(self, door: str, message: MutableMapping[str, Any]) -> None:
        key = (door, message["status"])
        counter = self._counters.get(key)
        if counter is None:
            counter = self._counters[key] = REQUESTS.labels(door, str(message["status"]))
        counter.inc()
