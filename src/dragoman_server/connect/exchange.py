"""Sends what grants built, through the guarded egress, under one total deadline; logs it without its secrets."""

import asyncio
from collections.abc import Generator
from datetime import datetime
from typing import TypeVar

from dragoman_server.connect.grants.model import Entry, Flow, HttpAnswer, TokenAnswer, TokenRefusal, TokenRequest
from dragoman_server.connect.grants.token_response import parse
from dragoman_server.egress.client import Deadlines, EgressClient
from dragoman_server.egress.errors import UpstreamTimeoutError
from dragoman_server.kit.clock import SystemClock
from dragoman_server.kit.errors import DragomanError
from dragoman_server.logs.operation import Operation
from dragoman_server.providers import dpop

ANSWER_LIMIT = 1024 * 1024
T = TypeVar("T")


class Exchange:
    """Talks to token endpoints. Redirects are not followed: a token request goes where the entry says, or nowhere."""

    def __init__(self, *, egress: EgressClient) -> None:
        self._egress = egress
        self._nonces = dpop.Nonces()

    async def ask(
        self,
        entry: Entry,
        request: TokenRequest,
        *,
        now: datetime,
        seconds: float,
        operation: Operation | None,
        refreshing: bool = False,
    ) -> TokenAnswer | TokenRefusal:
        """Return what the endpoint answered; raise the egress errors when it did not, within `seconds` in all."""

        def flow() -> Flow:
            answer = yield request
            return parse(entry, answer.status, answer.body, now, refreshing=refreshing)

        return await self.follow(flow(), seconds=seconds, operation=operation)

    async def follow(
        self, flow: Generator[TokenRequest, HttpAnswer, T], *, seconds: float, operation: Operation | None
    ) -> T:
        """Make a flow's calls; return what it ends with. Raises what a call or the flow raises."""
        ends = asyncio.get_running_loop().time() + seconds
        try:
            request = next(flow)
            while True:
                answer = await self.send(request, ends - asyncio.get_running_loop().time(), operation)
                try:
                    following = flow.send(answer)
                except StopIteration as done:
                    if isinstance(done.value, TokenRefusal):
                        _log(operation, request, answer.status, done.value.error, failed=True)
                    else:
                        _log(operation, request, answer.status, None, failed=False)
                    raise
                _log(operation, request, answer.status, None, failed=answer.status >= 400)
                request = following
        except StopIteration as done:
            found: T = done.value
        if operation is not None and isinstance(found, TokenAnswer):
            fields = [value for name, value in found.fields.items() if name != "token_type"]
            secrets = [found.access_token, found.refresh_token, *fields]
            operation.hide([s for s in secrets if isinstance(s, str) and s])
        return found

    async def send(self, request: TokenRequest, seconds: float, operation: Operation | None) -> HttpAnswer:
        """Make one call, whatever it answers; the caller logs it."""
        if operation is not None:
            operation.hide(request.secrets)
        try:
            return await self._send(request, max(seconds, 0.001))
        except DragomanError as error:
            if operation is not None:
                operation.http(request=_shown(request), response=None, level="error", code=error.public_code)
            raise

    async def _send(self, request: TokenRequest, seconds: float) -> HttpAnswer:
        headers = request.headers if request.dpop is None else [*request.headers, ("dpop", self._proof(request))]
        try:
            async with (
                asyncio.timeout(seconds),
                self._egress.request(
                    request.method,
                    request.url,
                    headers=headers,
                    body=request.body,
                    deadlines=Deadlines().within(seconds),
                    client_certificate=request.client_certificate,
                    decompress=True,
                ) as response,
            ):
                if request.dpop is not None:
                    self._nonces.learn(request.dpop, request.url, response.header("dpop-nonce"))
                return HttpAnswer(response.status, list(response.headers), await response.read(ANSWER_LIMIT))
        except TimeoutError:
            raise UpstreamTimeoutError("the token endpoint", "total deadline", sent=True) from None

    def _proof(self, request: TokenRequest) -> str:
        assert request.dpop is not None
        nonce = self._nonces.of(request.dpop, request.url)
        return dpop.proof(request.dpop, method=request.method, url=request.url, now=SystemClock().now(), nonce=nonce)


def _shown(request: TokenRequest) -> dict[str, object]:
    headers = {**dict(request.headers), **({"dpop": "(proof)"} if request.dpop is not None else {})}
    return {"method": request.method, "url": request.url.partition("?")[0], "headers": headers}


def _log(operation: Operation | None, request: TokenRequest, status: int, error: str | None, *, failed: bool) -> None:
    if operation is None:
        return
    if failed:
        operation.http(request=_shown(request), response={"status": status}, level="error", oauth_error=error)
    else:
        operation.http(request=_shown(request), response={"status": status})
