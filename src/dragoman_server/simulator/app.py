"""The simulator as an ASGI application: for our own outbound client, and for browsers that consent."""

import json
from collections.abc import Mapping, MutableMapping
from typing import Any

from dragoman_server.simulator import authorize
from dragoman_server.simulator.exchange import Answer, Received
from dragoman_server.simulator.world import World
from dragoman_server.web.asgi import Receive, Scope, Send

ORIGIN_HEADER = "x-dragoman-simulated-origin"
"""Which vendor a request was meant for, e.g. `https://api.github.com`."""
CONSENT_PATH = "/authorize/"
_LARGEST_BODY = 16 * 1024 * 1024


class SimulatorApp:
    """Serves one world; tests put another in its place between entries."""

    def __init__(self, world: World) -> None:
        self.world = world

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise RuntimeError("the simulator speaks HTTP only")
        headers = {k.decode("latin-1").lower(): v.decode("latin-1") for k, v in scope["headers"]}
        raw = (scope.get("raw_path") or scope["path"].encode()).decode("latin-1").partition("?")[0]
        query = scope["query_string"].decode("latin-1")
        origin = headers.pop(ORIGIN_HEADER, "")
        url = f"{origin}{raw}" + (f"?{query}" if query else "")
        body = await _read(receive)
        request = Received(scope["method"], url, headers, body or b"")
        if body is None:
            answer = Answer(413, {"error": "too_large"})
        elif not origin:
            answer = self.browse(raw, query, request)
        else:
            answer = self.world.answer(request)
        await _send(answer, send, head=scope["method"] == "HEAD")

    def browse(self, path: str, query: str, request: Received) -> Answer:
        """The consent page under our own address: a person decides, then it acts as the vendor's would."""
        name = path.removeprefix(CONSENT_PATH).partition("/")[0] if path.startswith(CONSENT_PATH) else ""
        provider = self.world.providers.get(name)
        if provider is None:
            return Answer(404, {"error": "not_found", "error_description": "Dragoman's simulator: nothing is here."})
        decision = request.query.get("simulate")
        if decision is None:
            return authorize.page(provider, query)
        return self.world.consent(provider.name, request, granted=decision in {"allow", "request"})


async def _read(receive: Receive) -> bytes | None:
    """Return the body; None when it is too large."""
    pieces: list[bytes] = []
    length = 0
    while True:
        message: MutableMapping[str, Any] = await receive()
        if message["type"] == "http.disconnect":
            return b""
        piece: bytes = message.get("body", b"")
        length += len(piece)
        if length > _LARGEST_BODY:
            return None
        pieces.append(piece)
        if not message.get("more_body"):
            return b"".join(pieces)


async def _send(answer: Answer, send: Send, *, head: bool) -> None:
    body = answer.body.encode() if answer.html else b"" if answer.body is None else json.dumps(answer.body).encode()
    kind = "text/html; charset=utf-8" if answer.html else "application/json"
    headers: Mapping[str, str] = {"content-type": kind, "content-length": str(len(body)), **answer.headers}
    pairs = [(k.encode("latin-1"), v.encode("latin-1")) for k, v in headers.items()]
    await send({"type": "http.response.start", "status": answer.status, "headers": pairs})
    await send({"type": "http.response.body", "body": b"" if head else body})
