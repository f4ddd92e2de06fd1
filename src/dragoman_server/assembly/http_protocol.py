"""uvicorn's HTTP protocol with the two bounds it does not have: how large a request's head may be, and how slow.

And with answers that go out in one piece: uvicorn writes an answer's head and its body one after the other, which is
two system calls, two packets and two wake-ups of the caller.
"""

import asyncio
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

LARGEST_HEAD = 64 * 1024
SLOWEST_HEAD_SECONDS = 30.0
CORKED_BYTES = 16 * 1024
_TOO_LARGE = b"The request's head is larger than 64 KB."


class Corked:
    """A transport whose small writes go out together at the end of the loop's turn, in their order.

    What waits is bounded, so that the transport below still tells when its writer must pause.
    """

    __slots__ = ("_bytes", "_held", "_loop", "_transport")

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._held: list[bytes] = []
        self._bytes = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        if not self._held:
            self._loop.call_soon(self.flush)
        self._held.append(data)
        self._bytes += len(data)
        if self._bytes > CORKED_BYTES:
            self.flush()

    def flush(self) -> None:
        """Write what waits."""
        if self._held:
            held, self._held, self._bytes = self._held, [], 0
            if not self._transport.is_closing():
                self._transport.write(held[0] if len(held) == 1 else b"".join(held))

    def close(self) -> None:
        self.flush()
        self._transport.close()

    def is_closing(self) -> bool:
        return self._transport.is_closing()


class BoundedHttp(HttpToolsProtocol):
    """Refuses a head (request line and headers) that is too large, and hangs up on one that does not come."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._head_bytes = 0
        self._in_head = True
        self._began = False
        self._patience: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as the base
        super().connection_made(cast("asyncio.Transport", Corked(transport, self.loop)))
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._head_came()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._began = False
        super().data_received(data)
        if self._in_head:
            if self._patience is None:
                self._await_head()
            if not self._began:  # what came with the head's first bytes may belong to a body before it
                self._head_bytes += len(data)
                if self._head_bytes > LARGEST_HEAD:
                    self._refuse_head()

    def on_message_begin(self) -> None:
        self._began = self._in_head = True
        self._head_bytes = 0
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
