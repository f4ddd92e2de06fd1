"""The outermost layer of the public port: sizes, CORS, trailing slashes, rate-limit headers, and the last error."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from dragoman_server.kit.telemetry import get_logger
from dragoman_server.web.envelope import Rendered, render
from dragoman_server.web.errors import RequestTooLargeError
from dragoman_server.web.limits import Rate

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

log = get_logger("web")

BODY_LIMIT = 75_000_000
_ALLOWED_HEADERS = (
    b"Authorization, Content-Type, Accept, Origin, X-Requested-With, Nango-Activity-Log-Id, Nango-Is-Dry-Run, "
    b"Nango-Is-Sync, Provider-Config-Key, Connection-Id, Sentry-Trace, Baggage"
)
_EXPOSED = (
    b"Authorization, Etag, Content-Type, Content-Length, X-Nango-Signature, "
    b"X-RateLimit-Limit, X-RateLimit-Remaining, X-RateLimit-Reset"
)
_CORS = [(b"access-control-allow-origin", b"*"), (b"access-control-expose-headers", _EXPOSED)]
_PREFLIGHT = [
    (b"access-control-allow-origin", b"*"),
    (b"access-control-allow-methods", b"GET, POST, PUT, PATCH, DELETE, HEAD, OPTIONS"),
    (b"access-control-allow-headers", _ALLOWED_HEADERS),
    (b"access-control-max-age", b"600"),
]
_HARDENING = [(b"x-content-type-options", b"nosniff"), (b"referrer-policy", b"no-referrer")]


async def send_rendered(send: Send, rendered: Rendered) -> None:
    """Send a whole JSON answer."""
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(rendered.body))]
    headers += [(k.lower().encode(), v.encode()) for k, v in rendered.headers.items()]
    await send({"type": "http.response.start", "status": rendered.status, "headers": headers})
    await send({"type": "http.response.body", "body": rendered.body})


async def send_error(send: Send, error: BaseException) -> None:
    """Answer with the envelope."""
    await send_rendered(send, render(error))


class Front:
    """Wraps the doors. `hot` are raw ASGI doors by exact path or prefix (ending in `/`), `rest` takes the others."""

    def __init__(self, *, rest: App, hot: dict[str, App]) -> None:
        self._rest = rest
        self._exact = {path: app for path, app in hot.items() if not path.endswith("/")}
        self._prefixes = tuple((path, app) for path, app in hot.items() if path.endswith("/"))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._rest(scope, receive, send)
            return
        scope.setdefault("state", {})
        started = finished = False

        async def answering(message: Message) -> None:
            nonlocal started, finished
            if message["type"] == "http.response.body":
                finished = not message.get("more_body", False)
            elif message["type"] == "http.response.start":
                started = True
                rate: Rate | None = scope["state"].get("rate")
                own = [*message.get("headers", ())]
                said = {name for name, _ in own}
                hardening = [one for one in _HARDENING if one[0] not in said]  # of two, a browser takes the last
                message["headers"] = [*own, *_CORS, *hardening, *(rate.headers() if rate is not None else ())]
            await send(message)

        path: str = scope["path"]
        app = self._door(path)
        try:
            if scope["method"] == "OPTIONS":
                await send({"type": "http.response.start", "status": 204, "headers": _PREFLIGHT})
                await send({"type": "http.response.body", "body": b""})
                return
            if app is self._rest:
                if path != "/" and path.endswith("/") and not scope.get("raw_path", b"").upper().endswith(b"%2F"):
                    scope["path"] = path.rstrip("/") or "/"
                    app = self._door(scope["path"])
                receive = bounded(scope, receive)
            await app(scope, receive, answering)
        except Exception as error:  # the door: whatever a part raised becomes one answer in the envelope
            if finished:
                return  # the application answered with the error itself and logged it
            if started:
                log.warning("answer_broken_off", path=path, error=type(error).__name__)
                raise
            await send_error(answering, error)

    def _door(self, path: str) -> App:
        exact = self._exact.get(path)
        if exact is not None:
            return exact
        for prefix, app in self._prefixes:
            if path.startswith(prefix):
                return app
        return self._rest


def bounded(scope: Scope, receive: Receive) -> Receive:
    """Refuse a body that says it is too large, and one that turns out to be."""
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit() and int(value) > BODY_LIMIT:
            raise RequestTooLargeError(BODY_LIMIT)
    received = 0

    async def counted() -> Message:
        nonlocal received
        message = await receive()
        received += len(message.get("body", b""))
        if received > BODY_LIMIT:
            raise RequestTooLargeError(BODY_LIMIT)
        return message

    return counted
