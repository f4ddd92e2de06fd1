"""Sends what grants built, through the guarded egress, under one total deadline; logs it without its secrets."""

import asyncio
from datetime import datetime

from dragoman_server.connect.grants.model import Entry, TokenAnswer, TokenRefusal, TokenRequest
from dragoman_server.connect.grants.token_response import parse
from dragoman_server.egress.client import Deadlines, EgressClient
from dragoman_server.egress.errors import UpstreamTimeoutError
from dragoman_server.kit.errors import DragomanError
from dragoman_server.logs.operation import Operation

ANSWER_LIMIT = 1024 * 1024


class Exchange:
    """Talks to token endpoints. Redirects are not followed: a token request goes where the entry says, or nowhere."""

    def __init__(self, *, egress: EgressClient) -> None:
        self._egress = egress

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
        if operation is not None:
            operation.hide(request.secrets)
        sent = {"method": request.method, "url": request.url.partition("?")[0], "headers": dict(request.headers)}
        try:
            status, body = await self._send(request, seconds)
        except DragomanError as error:
            if operation is not None:
                operation.http(request=sent, response=None, level="error", code=error.public_code)
            raise
        answer = parse(entry, status, body, now, refreshing=refreshing)
        if operation is not None:
            if isinstance(answer, TokenAnswer):
                operation.hide([s for s in (answer.access_token, answer.refresh_token) if s])
                operation.http(request=sent, response={"status": status})
            else:
                operation.http(request=sent, response={"status": status}, level="error", oauth_error=answer.error)
        return answer

    async def _send(self, request: TokenRequest, seconds: float) -> tuple[int, bytes]:
        try:
            async with (
                asyncio.timeout(seconds),
                self._egress.request(
                    request.method,
                    request.url,
                    headers=request.headers,
                    body=request.body,
                    deadlines=Deadlines().within(seconds),
                    client_certificate=request.client_certificate,
                    decompress=True,
                ) as response,
            ):
                return response.status, await response.read(ANSWER_LIMIT)
        except TimeoutError:
            raise UpstreamTimeoutError("the token endpoint", "total deadline", sent=True) from None
