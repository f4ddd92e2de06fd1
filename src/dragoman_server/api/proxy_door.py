"""`/proxy/{path}` as raw ASGI: bytes stream both ways with back-pressure, and a caller who leaves ends the call."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any, Protocol

from dragoman_server.api.proxy_headers import ControlHeaders, parse_control_headers
from dragoman_server.kit.ids import EnvironmentId
from dragoman_server.proxy import Proxy, ProxyRequest, ProxyResponse, RequestBodyTooLargeError, Target
from dragoman_server.proxy.bodies import BODY_LIMIT
from dragoman_server.proxy.errors import CallerLeftError
from dragoman_server.web.asgi import Message, Receive, Scope, Send, send_error

SCOPE = "environment:proxy"
PREFIX = "/proxy"
OWN_ERROR = (b"x-dragoman-error", b"true")
_LISTEN_AFTER = 0.25
"""Seconds after which a call gets a task that listens for its caller leaving; shorter calls cost no task."""


class PrincipalLike(Protocol):
    @property
    def environment_id(self) -> EnvironmentId: ...


Authenticate = Callable[[Mapping[str, Any], str], Awaitable[PrincipalLike]]
"""(ASGI scope, wanted scope) -> the caller; raises our errors."""
FindTarget = Callable[[EnvironmentId, str, str], Awaitable[Target]]
"""(environment, integration key, connection id) -> target, as `proxy.Targets.find`."""
SendError = Callable[[Send, BaseException], Awaitable[None]]


def _marking(send: Send) -> Send:
    """So that a caller can tell our own error from the upstream's answer of the same status."""

    async def marked(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message["headers"], OWN_ERROR]
        await send(message)

    return marked


class ProxyDoor:
    """The ASGI application of the route; wants `scope["path"]` to begin with `/proxy`."""

    def __init__(
        self, *, proxy: Proxy, find_target: FindTarget, authenticate: Authenticate, send_error: SendError = send_error
    ) -> None:
        self._proxy = proxy
        self._find_target = find_target
        self._authenticate = authenticate
        self._send_error = send_error

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = False

        async def sending(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        caller = _Caller(receive)
        try:
            await self._serve(scope, caller, sending)
        except CallerLeftError:
            return
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if caller.left and task is not None:
                task.uncancel()
                return
            raise
        except Exception as error:  # the door: before the answer began, every error is one answer in the envelope
            if started:
                raise  # the server breaks the connection off: the caller must not take half a body for a whole one
            await self._send_error(_marking(send), error)
        finally:
            await caller.stop()

    async def _serve(self, scope: Scope, caller: "_Caller", send: Send) -> None:
        principal = await self._authenticate(scope, SCOPE)
        control = parse_control_headers(scope["headers"])
        if control.length is not None and control.length > BODY_LIMIT:
            raise RequestBodyTooLargeError(BODY_LIMIT)
        target = await self._find_target(principal.environment_id, control.integration_key, control.connection_id)
        request = _request(scope, control, await caller.body() if control.has_body else caller.no_body())
        async with self._proxy.call(target, request) as answer:
            await _pass_on(answer, scope, send, caller)


def _request(scope: Scope, control: ControlHeaders, body: bytes | AsyncIterator[bytes] | None) -> ProxyRequest:
    return ProxyRequest(
        method=scope["method"],
        endpoint=endpoint_of(scope),
        headers=control.headers,
        body=body,
        length=control.length,
        retries=control.retries,
        retry_on=control.retry_on,
        base_url_override=control.base_url_override,
        decompress=control.decompress,
        forward_headers_on_redirect=control.forward_headers_on_redirect,
    )


def endpoint_of(scope: Scope) -> str:
    """Return path and query below `/proxy`, percent-encoding as the caller wrote it."""
    raw: bytes = scope.get("raw_path") or scope["path"].encode()
    path = raw.decode("utf-8", "replace").partition("?")[0].removeprefix(PREFIX)
    query: bytes = scope.get("query_string") or b""
    return f"{path or '/'}?{query.decode('utf-8', 'replace')}" if query else path or "/"


async def _pass_on(answer: ProxyResponse, scope: Scope, send: Send, caller: "_Caller") -> None:
    headers = answer.raw_headers
    if any(name.startswith(b"x-ratelimit-") for name, _ in headers):
        scope.setdefault("state", {})["rate"] = None  # the upstream's own limits are what this caller must heed
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    async for chunk in answer.iter():
        if answer.finished:
            caller.ignore()
            await send({"type": "http.response.body", "body": chunk})
            return
        await send({"type": "http.response.body", "body": chunk, "more_body": True})
    caller.ignore()
    await send({"type": "http.response.body", "body": b""})


class _Caller:
    """The request's other end: reads its body, then notices when it hangs up."""

    __slots__ = ("_listening", "_receive", "_task", "_timer", "left")

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._task = asyncio.current_task()
        self._timer: asyncio.TimerHandle | None = None
        self._listening: asyncio.Task[None] | None = None
        self.left = False

    def no_body(self) -> None:
        """There is none to read; start noticing."""
        self._notice()

    async def body(self) -> bytes | AsyncIterator[bytes]:
        """Return the body: as bytes if it came in one piece, else as it comes; a caller who leaves is an error."""
        first, more = await self._piece()
        if more:
            return self._rest(first)
        self._notice()
        return first

    def ignore(self) -> None:
        """Stop noticing: once the answer is complete the server reports a disconnect that is none."""
        if self._timer is not None:
            self._timer.cancel()
        if self._listening is not None:
            self._listening.cancel()

    async def stop(self) -> None:
        self.ignore()
        if self._listening is not None:
            await asyncio.wait([self._listening])

    async def _rest(self, first: bytes) -> AsyncIterator[bytes]:
        yield first
        more = True
        while more:
            piece, more = await self._piece()
            if piece:
                yield piece
        self._notice()

    async def _piece(self) -> tuple[bytes, bool]:
        message = await self._receive()
        if message["type"] == "http.disconnect":
            self.left = True
            raise CallerLeftError
        return message.get("body", b""), message.get("more_body", False)

    def _notice(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(_LISTEN_AFTER, self._start_listening)

    def _start_listening(self) -> None:
        self._listening = asyncio.create_task(self._listen())

    async def _listen(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self.left = True
        if self._task is not None:
            self._task.cancel()
