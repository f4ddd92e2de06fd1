"""A request on a connection that is open already: the head is written in one piece and nothing generic runs.

aiohttp still keeps the pool and parses the answer, and every connection in its pool came through the gate when it was
dialled. Nothing is dialled here: without a free connection `client` asks aiohttp, which makes one.
"""

import asyncio
from typing import Any, TypedDict

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.client_reqrep import ConnectionKey
from aiohttp.connector import Connection
from aiohttp.helpers import TimerNoop, set_exception
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.http_parser import RawResponseMessage
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from dragoman_server.egress.wire import Body

_NO_TIMER = TimerNoop()
_NO_HEADERS: CIMultiDictProxy[str] = CIMultiDictProxy(CIMultiDict())
_WITHOUT_LENGTH = frozenset({"GET", "HEAD", "OPTIONS"})
"""Methods whose missing body needs no `Content-Length: 0` (RFC 9110 section 8.6)."""
_ONE_PIECE = 64 * 1024
"""Bytes of a body that are written together with the head."""
_INFORMATION = range(100, 200)
_SWITCHING = 101


class Limits(TypedDict):
    """What is read at most, as aiohttp names it."""

    read_bufsize: int
    max_line_size: int
    max_field_size: int
    max_headers: int


class PooledAnswer:
    """An answer's status and headers and its body to come; of aiohttp's response only what egress reads."""

    __slots__ = ("_connection", "closed", "content", "headers", "raw_headers", "status", "url")

    def __init__(
        self, url: URL, connection: Connection, message: RawResponseMessage, content: aiohttp.StreamReader
    ) -> None:
        self.url = url
        self.status: int = message.code
        self.headers: CIMultiDictProxy[str] = message.headers
        self.raw_headers: tuple[tuple[bytes, bytes], ...] = message.raw_headers
        self.content = content
        self.closed = False
        self._connection: Connection | None = connection
        content.on_eof(self._ended)

    @property
    def connection(self) -> Connection | None:
        """The connection, until the body has arrived."""
        return self._connection

    @property
    def content_length(self) -> int | None:
        """What the upstream stated; the parser has refused what is no number."""
        stated = self.headers.get("Content-Length")
        return None if stated is None else int(stated)

    def close(self) -> None:
        """Break the connection off if it is still held: whoever reads the body on gets an error."""
        if self.content.exception() is None:
            set_exception(self.content, aiohttp.ClientConnectionError("Connection closed"))
        self.closed = True
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _ended(self) -> None:
        connection = self._connection
        if connection is None or (connection.protocol is not None and connection.protocol.upgraded):
            return
        self.closed = True
        self._connection = None
        connection.release()


Answer = aiohttp.ClientResponse | PooledAnswer


class Pooled:
    """One per session, whose limits on what is read it is given."""

    __slots__ = ("_connector", "_limits", "_loop")

    def __init__(self, connector: aiohttp.BaseConnector, limits: Limits) -> None:
        self._connector = connector
        self._limits = limits
        self._loop = asyncio.get_running_loop()

    async def send(
        self,
        method: str,
        url: URL,
        headers: list[tuple[str, str]],
        body: Body,
        ssl: Any,
        *,
        first_byte: float,
        patience: float,
    ) -> PooledAnswer | None:
        """Send on a free connection and wait for the headers, up to `patience`; raises what aiohttp raises.

        None, and nothing sent, when no connection is free or the body is not a small one. `headers` are clean and
        state no length.
        """
        if body is not None and not (isinstance(body, bytes) and len(body) <= _ONE_PIECE):
            return None
        key = ConnectionKey(url.raw_host or "", url.port, url.scheme == "https", ssl, None, None, None)
        while True:
            connection = await self._connector._get(key, [])  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
            if connection is None:
                return None
            protocol = connection.protocol
            if protocol is not None and protocol.transport is not None and not protocol.should_close:
                break
            connection.close()  # bytes came that nobody had asked for: they must not be anybody's answer
        try:
            transport = protocol.transport
            head = _head(method, url, headers, body)
            protocol.set_response_params(
                timer=_NO_TIMER,
                skip_payload=method == "HEAD",
                read_until_eof=True,
                auto_decompress=False,
                read_timeout=first_byte,
                **self._limits,
            )
            late = self._loop.call_later(patience, _give_up, protocol)
            try:
                protocol.start_timeout()
                transport.write(head)
                message, content = await protocol.read()
                while message.code in _INFORMATION and message.code != _SWITCHING:
                    message, content = await protocol.read()
            except HttpProcessingError as error:
                info = aiohttp.RequestInfo(url, method, _NO_HEADERS, url)
                raise aiohttp.ClientResponseError(info, (), status=error.code) from error
            finally:
                late.cancel()
            return PooledAnswer(url, connection, message, content)
        except BaseException:
            connection.close()
            raise


def _give_up(protocol: ResponseHandler) -> None:
    protocol.set_exception(aiohttp.SocketTimeoutError("no headers in time"))


def _head(method: str, url: URL, headers: list[tuple[str, str]], body: bytes | None) -> bytes:
    """Return the request's head, and its body behind it."""
    names = {name.lower() for name, _ in headers}
    lines = [f"{method} {url.raw_path_qs} HTTP/1.1\r\nHost: {url.host_port_subcomponent}"]
    lines += [f"{name}: {value}" for name, value in (headers if len(names) == len(headers) else _merged(headers))]
    if "accept" not in names:
        lines.append("Accept: */*")
    if body is not None:
        lines.append(f"Content-Length: {len(body)}")
    elif method not in _WITHOUT_LENGTH:
        lines.append("Content-Length: 0")
    lines.append("\r\n")
    head = "\r\n".join(lines).encode()
    return head + body if body else head


def _merged(headers: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return what aiohttp sends of repeated headers: all of one spelling, of several spellings the last."""
    merged: CIMultiDict[str] = CIMultiDict()
    spellings: set[str] = set()
    for name, value in headers:
        if name in spellings:
            merged.add(name, value)
        else:
            merged[name] = value
            spellings.add(name)
    return list(merged.items())
