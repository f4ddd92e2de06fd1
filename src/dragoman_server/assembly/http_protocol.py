"""uvicorn's HTTP protocol with the two bounds it does not have: how large a request's head may be, and how slow."""

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

LARGEST_HEAD = 64 * 1024
SLOWEST_HEAD_SECONDS = 30.0
_TOO_LARGE = b"The request's head is larger than 64 KB."


class BoundedHttp(HttpToolsProtocol):
    """Refuses a head (request line and headers) that is too large, and hangs up on one that does not come."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._head_bytes = 0
        self._in_head = True
        self._began = False
        self._patience: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as the base
        super().connection_made(transport)
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._head_came()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._began = False
        super().data_received(data)
        if self._in_head and not self._began:  # what came with the head's first bytes may belong to a body before it
            self._head_bytes += len(data)
            if self._head_bytes > LARGEST_HEAD:
                self._refuse_head()

    def on_message_begin(self) -> None:
        self._began = self._in_head = True
        self._head_bytes = 0
        if self._patience is None:
            self._await_head()
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._in_head = False
        self._head_came()
        super().on_headers_complete()

    def _await_head(self) -> None:
        self._patience = self.loop.call_later(SLOWEST_HEAD_SECONDS, self._hang_up)

    def _head_came(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None

    def _hang_up(self) -> None:
        if not self.transport.is_closing():
            self.transport.close()

    def _refuse_head(self) -> None:
        if not self.transport.is_closing():
            self.transport.write(
                b"HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\n"
                b"content-type: text/plain; charset=utf-8\r\ncontent-length: %d\r\n\r\n" % len(_TOO_LARGE) + _TOO_LARGE
            )
            self.transport.close()
