"""The one guarded outbound HTTP client.

aiohttp carries the bytes; this file decides. The connector's socket factory is the gate: it is handed every address
about to be dialled (resolved or literal, each connection anew) and refuses before a socket exists, so what was
checked is what is dialled and a name that changes its mind between look-up and connect gains nothing.
"""

import asyncio
import contextlib
import socket
from contextvars import ContextVar
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import aiohttp
from yarl import URL

from dragoman_server.egress.certificates import ClientCertificates, verifying_context
from dragoman_server.egress.errors import (
    EgressRefusedError,
    InvalidRequestError,
    InvalidUpstreamAnswerError,
    RedirectRefusedError,
    UpstreamTimeoutError,
    UpstreamUnreachableError,
)
from dragoman_server.egress.failures import RefusedAddressError, translate
from dragoman_server.egress.pooled import Answer, Limits, Pooled
from dragoman_server.egress.redirects import REDIRECTS, headers_for_hop, origin_of, redirected_method
from dragoman_server.egress.resolving import ConnectorResolver, Resolve, SystemResolver
from dragoman_server.egress.response import EgressResponse
from dragoman_server.egress.rules import EgressRules
from dragoman_server.egress.wire import TOKEN, Body, Headers, clean_headers, frame_body, parse_location, parse_url

_AUTOMATIC = ("User-Agent", "Accept-Encoding", "Content-Type")
_SMALL_BODY = 1024 * 1024
_DRAIN_LIMIT = 64 * 1024
_IDEMPOTENT = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})
_STALE_LIMIT = 3
_READ_BUFFER = 256 * 1024
_DIALLED: ContextVar[list[None] | None] = ContextVar("egress_dialled")
"""Filled when the request under way opens a connection: a broken one it did not open was a pooled one gone stale."""


@dataclass(frozen=True, slots=True)
class Deadlines:
    """Seconds. `connect` includes the look-up and a wait for a free connection; `first_byte` starts when the request is
    sent; `between_bytes` is the longest silence inside a body; `total` ends everything, the body included.
    """

    connect: float = 10.0
    first_byte: float = 60.0
    between_bytes: float = 60.0
    total: float = 300.0

    def within(self, seconds: float) -> "Deadlines":
        """Return these deadlines, none later than `seconds` from now."""
        return Deadlines(
            *(min(value, seconds) for value in (self.connect, self.first_byte, self.between_bytes, self.total))
        )


@lru_cache(maxsize=256)
def _timeout_of(deadlines: Deadlines) -> aiohttp.ClientTimeout:
    """Aiohttp's share; `total` is kept here and by the response, for less than aiohttp's timer costs."""
    return aiohttp.ClientTimeout(total=None, connect=deadlines.connect, sock_read=deadlines.first_byte)


class _Request:
    """One request with its redirects, as an async context manager (a class: a generator costs more per call)."""

    __slots__ = (
        "_body",
        "_client",
        "_context",
        "_credential_origins",
        "_deadlines",
        "_decompress",
        "_follow",
        "_headers",
        "_keep",
        "_method",
        "_response",
        "_url",
    )

    def __init__(
        self,
        client: "EgressClient",
        method: str,
        url: str,
        headers: Headers,
        body: Body,
        deadlines: Deadlines,
        follow: int,
        credential_origins: frozenset[str] | None,
        keep: bool,
        client_certificate: tuple[str, str] | None,
        decompress: bool,
    ) -> None:
        self._client = client
        self._method = method
        self._url = url
        self._headers = headers
        self._body = body
        self._deadlines = deadlines
        self._follow = follow
        self._credential_origins = credential_origins
        self._keep = keep
        self._context = client_certificate
        self._decompress = decompress
        self._response: Answer | None = None

    async def __aenter__(self) -> EgressResponse:
        method = self._method.upper()
        if not TOKEN.fullmatch(method) or method in {"CONNECT", "TRACE"}:
            raise InvalidRequestError(f"The method `{method[:20]}` cannot be sent.")
        url = parse_url(self._url)
        headers = clean_headers(self._headers)
        body = self._body
        ends = asyncio.get_running_loop().time() + self._deadlines.total
        try:
            response = await self._client.send(method, url, headers, body, self._deadlines, self._context)
            if self._follow > 0 and response.status in REDIRECTS:
                response, url = await self._follow_redirects(response, method, url, headers, body, ends)
        except BaseException:
            await _close_body(body)
            raise
        self._response = response
        return EgressResponse(response, url.raw_host or "", ends=ends, decompress=self._decompress)

    async def _follow_redirects(
        self,
        response: Answer,
        method: str,
        url: URL,
        headers: list[tuple[str, str]],
        body: Body,
        ends: float,
    ) -> tuple[Answer, URL]:
        origins = self._credential_origins if self._credential_origins is not None else frozenset({origin_of(url)})
        certificate = self._context
        hops = 0
        secure = url.scheme == "https"
        while response.status in REDIRECTS and (location := response.headers.get("Location")):
            host = url.raw_host or ""
            following = redirected_method(response.status, method)
            body_dropped = following != method or body is None
            if not body_dropped and not isinstance(body, bytes):
                return response, url  # a streamed body is gone: the caller gets the redirect itself
            if hops == self._follow:
                response.close()
                raise InvalidUpstreamAnswerError(host, f"it redirected more than {self._follow} times")
            hops += 1
            try:
                url = parse_location(url, location)
                await _discard(response)
            except BaseException:
                response.close()
                raise
            downgraded = secure and url.scheme == "http"
            if downgraded and not body_dropped:
                raise RedirectRefusedError(url.raw_host or "", "would send the request body unencrypted")
            if body_dropped:
                body = None
            headers = headers_for_hop(
                headers,
                target=url,
                downgraded=downgraded,
                credential_origins=origins,
                keep=self._keep,
                body_dropped=body_dropped,
            )
            if origin_of(url) not in origins:
                certificate = None
            method = following
            left = ends - asyncio.get_running_loop().time()
            if left <= 0:
                raise UpstreamTimeoutError(host, "following redirects", sent=True)
            try:
                response = await self._client.send(
                    method, url, headers, body, self._deadlines.within(left), certificate
                )
            except EgressRefusedError as error:
                raise RedirectRefusedError(error.host) from None
        return response, url

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        response = self._response
        if response is not None:
            if not response.closed:
                response.close()  # the rest of the body was not wanted: the connection cannot be used again
            await _close_body(self._body)


class EgressClient:
    """One pool for the process. `open()` inside the event loop, `close()` at the end; safe for any number of tasks."""

    def __init__(
        self,
        rules: EgressRules | None = None,
        *,
        resolve: Resolve | None = None,
        ca_file: Path | None = None,
        user_agent: str = "dragoman",
        connections: int = 1000,
        connections_per_host: int = 100,
        max_header_bytes: int = 32 * 1024,
        max_headers: int = 256,
        dns_cache_seconds: int = 10,
    ) -> None:
        self.rules = rules or EgressRules()
        self._resolve = resolve
        self._ca_file = ca_file
        self._user_agent = user_agent
        self._connections = connections
        self._connections_per_host = connections_per_host
        self._max_header_bytes = max_header_bytes
        self._max_headers = max_headers
        self._dns_cache_seconds = dns_cache_seconds
        self._session: aiohttp.ClientSession | None = None
        self._pooled: Pooled | None = None
        self._system_resolver: SystemResolver | None = None
        self._certificates = ClientCertificates(ca_file)

    async def open(self) -> None:
        """Make the pool. A second call does nothing."""
        if self._session is not None:
            return
        resolve = self._resolve
        if resolve is None:
            resolve = self._system_resolver = SystemResolver()
        connector = aiohttp.TCPConnector(
            ssl=verifying_context(self._ca_file),
            resolver=ConnectorResolver(resolve),
            socket_factory=self._open_socket,
            limit=self._connections,
            limit_per_host=self._connections_per_host,
            use_dns_cache=self._dns_cache_seconds > 0,
            ttl_dns_cache=self._dns_cache_seconds,
            keepalive_timeout=15,
        )
        limits: Limits = {
            "read_bufsize": _READ_BUFFER,
            "max_line_size": self._max_header_bytes,
            "max_field_size": self._max_header_bytes,
            "max_headers": self._max_headers,
        }
        self._pooled = Pooled(connector, limits)
        self._session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            trust_env=False,
            skip_auto_headers=_AUTOMATIC,
            **limits,
            timeout=aiohttp.ClientTimeout(total=300, connect=10, sock_read=60),
        )
        # aiohttp would try again after any broken connection; we do so only for a pooled one that had gone stale.
        self._session._retry_connection = False  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]

    async def close(self) -> None:
        """Close every connection. Requests under way fail."""
        session, self._session, self._pooled = self._session, None, None
        if session is not None:
            await session.close()
        if self._system_resolver is not None:
            self._system_resolver.close()
            self._system_resolver = None

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def request(
        self,
        method: str,
        url: str,
        *,
        headers: Headers = (),
        body: Body = None,
        deadlines: Deadlines = Deadlines(),
        follow_redirects: int = 0,
        credential_origins: frozenset[str] | None = None,
        keep_headers_on_redirect: bool = False,
        client_certificate: tuple[str, str] | None = None,
        decompress: bool = False,
    ) -> "_Request":
        """Send a request; `async with` gives the answer as soon as its headers are there, any status included.

        Redirects are followed `follow_redirects` times; outside `credential_origins` (by default the URL's own origin)
        only harmless headers go along unless `keep_headers_on_redirect`. A body that is an iterable is sent once: a
        redirect that wants it again is returned as it is. A stated Content-Length is kept, else it goes chunked.

        Raises EgressRefusedError, InvalidRequestError, UpstreamTimeoutError, UpstreamUnreachableError,
        InvalidUpstreamAnswerError.
        """
        return _Request(
            self,
            method,
            url,
            headers,
            body,
            deadlines,
            follow_redirects,
            credential_origins,
            keep_headers_on_redirect,
            client_certificate,
            decompress,
        )

    async def send(
        self,
        method: str,
        url: URL,
        headers: list[tuple[str, str]],
        body: Body,
        deadlines: Deadlines,
        client_certificate: tuple[str, str] | None,
    ) -> Answer:
        """Send one hop and wait for its headers. `url` and `headers` are already checked."""
        if self._session is None or self._pooled is None:
            raise RuntimeError("EgressClient.open() has not been called")
        ssl: Any = True  # aiohttp's word for the connector's own context
        if client_certificate is not None:
            ssl = await self._certificates.context(*client_certificate)
        headers, framed = frame_body(headers, body)
        if not any(name == "user-agent" or name.lower() == "user-agent" for name, _ in headers):
            headers = [*headers, ("User-Agent", self._user_agent)]
        # aiohttp's own read timer restarts with every byte; a server that drips header bytes must not live on that.
        small = body is None or (isinstance(body, bytes) and len(body) <= _SMALL_BODY)
        patience = min(deadlines.connect + deadlines.first_byte, deadlines.total) if small else deadlines.total
        host = url.raw_host or ""
        for attempt in range(_STALE_LIMIT):
            dialled: list[None] = []
            try:
                response: Answer | None = await self._pooled.send(
                    method, url, headers, framed, ssl, first_byte=deadlines.first_byte, patience=patience
                )
                if response is None:
                    _DIALLED.set(dialled)
                    async with asyncio.timeout(patience):
                        response = await self._session.request(
                            method, url, headers=headers, data=framed, allow_redirects=False,
                            timeout=_timeout_of(deadlines), ssl=ssl,
                        )  # fmt: skip
                break
            except (aiohttp.ClientError, OSError, ValueError) as error:
                failure = translate(error, host, "waiting for the answer")
                if isinstance(failure, UpstreamUnreachableError) and failure.sent and not dialled:
                    failure.stale = True
                    again = attempt + 1 < _STALE_LIMIT and method in _IDEMPOTENT
                    if again and (body is None or isinstance(body, bytes)):
                        framed = frame_body(headers, body)[1]
                        continue
                raise failure from error
        else:
            raise AssertionError("the last attempt either breaks out or raises")
        connection = response.connection
        if connection is not None and connection.protocol is not None:
            connection.protocol.read_timeout = deadlines.between_bytes
            connection.protocol.start_timeout()  # the timer under way still has the first byte's patience
        return response

    def _open_socket(self, info: tuple[Any, ...]) -> socket.socket:
        family, kind, protocol, _, address = info
        if (len(address) > 3 and address[3]) or not self.rules.permits(address[0]):
            raise RefusedAddressError
        dialled = _DIALLED.get(None)
        if dialled is not None:
            dialled.append(None)
        return socket.socket(family=family, type=kind, proto=protocol)


async def _discard(response: Answer) -> None:
    """Read a redirect's little body so that its connection can be used again; close on more than a little."""
    length = response.content_length
    if length is not None and length <= _DRAIN_LIMIT:
        with contextlib.suppress(aiohttp.ClientError, OSError):
            await response.content.read()
    response.close()


async def _close_body(body: Body) -> None:
    close = getattr(body, "aclose", None)
    if close is not None:
        with contextlib.suppress(RuntimeError):  # still being read by the writer that is just being cancelled
            await close()
