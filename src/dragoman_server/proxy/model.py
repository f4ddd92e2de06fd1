"""The nouns: whom a call is for, what to send, what came back."""

from collections.abc import AsyncIterable, AsyncIterator, Sequence
from dataclasses import dataclass, field

from dragoman_server.egress import EgressResponse
from dragoman_server.kit.ids import EnvironmentId
from dragoman_server.providers.retry import RetryHeaders
from dragoman_server.proxy.headers import forwarded_headers
from dragoman_server.proxy.ports import ConnectionLike, IntegrationLike

NO_RETRY_HEADERS = RetryHeaders()


@dataclass(frozen=True, slots=True)
class Target:
    """The connection a call is made with, and its integration; both of `environment_id`."""

    environment_id: EnvironmentId
    integration: IntegrationLike
    connection: ConnectionLike


@dataclass(frozen=True, slots=True, repr=False)
class ProxyRequest:
    """What the caller wants sent. `headers` are those for the upstream only, its own names, no control headers.

    `endpoint` is the path (with a query string, sent as it is), or an absolute URL within the entry's origins.
    `length` is the body's, where a streamed one states it. `deadline` bounds everything up to the answer's headers,
    waits between tries included. None for a flag means: as the catalogue entry says.
    """

    method: str
    endpoint: str
    query: Sequence[tuple[str, str]] = ()
    headers: Sequence[tuple[str, str]] = ()
    body: bytes | AsyncIterable[bytes] | None = None
    length: int | None = None
    retries: int = 0
    retry_on: frozenset[int] = frozenset()
    base_url_override: str | None = None
    decompress: bool | None = None
    forward_headers_on_redirect: bool | None = None
    retry_header: RetryHeaders = NO_RETRY_HEADERS
    deadline: float = 300.0

    def header(self, name: str) -> str | None:
        """Return the caller's header of that (lower-case) name."""
        for key, value in self.headers:
            if key.lower() == name:
                return value
        return None


@dataclass(slots=True, repr=False)
class ProxyResponse:
    """The upstream's answer: its status and body unchanged, its headers without what concerns only one hop."""

    upstream: EgressResponse
    attempts: int
    prefix: bytes = b""
    rest: AsyncIterator[bytes] | None = None
    _raw: list[tuple[bytes, bytes]] | None = field(default=None, init=False)

    @property
    def status(self) -> int:
        return self.upstream.status

    @property
    def raw_headers(self) -> list[tuple[bytes, bytes]]:
        """The headers to hand on, as bytes, names in lower case."""
        if self._raw is None:
            self._raw = forwarded_headers(self.upstream.raw_headers, status=self.upstream.status)
        return self._raw

    @property
    def headers(self) -> list[tuple[str, str]]:
        return [(name.decode("latin-1"), value.decode("utf-8", "replace")) for name, value in self.raw_headers]

    def header(self, name: str) -> str | None:
        return self.upstream.header(name)

    @property
    def finished(self) -> bool:
        """True if what `iter` has yielded was all of it, as far as that is known without asking for more."""
        return self.rest is None and self.upstream.finished

    def iter(self) -> AsyncIterator[bytes]:
        """Yield the body as it arrives; holding back holds the upstream back. May be called once."""
        if self.rest is None:
            return self.upstream.iter()
        return self._after_prefix(self.rest)

    async def read(self, limit: int) -> bytes:
        """Return the whole body; raises ResponseTooLargeError beyond `limit` bytes."""
        if self.rest is None:
            return await self.upstream.read(limit)
        return await self.upstream.collect(self.iter(), limit)

    async def _after_prefix(self, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        if self.prefix:
            yield self.prefix
        async for chunk in rest:
            yield chunk
