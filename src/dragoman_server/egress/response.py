"""An upstream's answer, streamed."""

import asyncio
import zlib
from collections.abc import AsyncIterator, Sequence

import aiohttp

from dragoman_server.egress import decoding
from dragoman_server.egress.errors import InvalidUpstreamAnswerError, ResponseTooLargeError
from dragoman_server.egress.failures import translate
from dragoman_server.egress.pooled import Answer
from dragoman_server.egress.wire import text_of


class EgressResponse:
    """An answer whose body has not been read yet. Belongs to the `async with` block that yielded it."""

    __slots__ = ("_decompress", "_ends", "_response", "host", "raw_headers", "status")

    def __init__(self, response: Answer, host: str, *, ends: float, decompress: bool) -> None:
        self._response = response
        self._ends = ends
        self.status = response.status
        self.host = host
        self.raw_headers: Sequence[tuple[bytes, bytes]] = response.raw_headers
        self._decompress: str | None = None
        if decompress:
            encoding = (self.header("content-encoding") or "").strip().lower()
            if encoding in decoding.SUPPORTED:
                self._decompress = encoding
                gone = (b"content-encoding", b"content-length")
                self.raw_headers = [(name, value) for name, value in self.raw_headers if name.lower() not in gone]

    @property
    def url(self) -> str:
        """Where it came from: after redirects, the last of them."""
        return str(self._response.url)

    @property
    def headers(self) -> list[tuple[str, str]]:
        """The headers in their order; bytes that are not UTF-8 are read as Latin-1."""
        return [(name.decode("latin-1"), text_of(value)) for name, value in self.raw_headers]

    def header(self, name: str) -> str | None:
        """Return the first header of that name, any case."""
        wanted = name.lower().encode("latin-1")
        for key, value in self.raw_headers:
            if key.lower() == wanted:
                return text_of(value)
        return None

    @property
    def content_length(self) -> int | None:
        """The length the upstream stated for the body as it will be iterated, if any."""
        return None if self._decompress else self._response.content_length

    def iter(self) -> AsyncIterator[bytes]:
        """Yield the body as it arrives. Holding back stops the upstream: at most ~128 KiB wait in memory."""
        return self._chunks() if self._decompress is None else self._decoded(self._decompress)

    async def read(self, limit: int = 10 * 1024 * 1024) -> bytes:
        """Return the whole body; raises ResponseTooLargeError as soon as it is longer than `limit` bytes."""
        return await self.collect(self.iter(), limit)

    async def collect(self, chunks: AsyncIterator[bytes], limit: int) -> bytes:
        """Return what `chunks`, some of this body, hold; as `read`."""
        pieces: list[bytes] = []
        size = 0
        async for chunk in chunks:
            size += len(chunk)
            if size > limit:
                raise ResponseTooLargeError(self.host, limit)
            pieces.append(chunk)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    @property
    def finished(self) -> bool:
        """True if what was iterated was the whole body, as far as that is known without asking for more."""
        return self._decompress is None and self._response.content.at_eof()

    async def _chunks(self) -> AsyncIterator[bytes]:
        content = self._response.content
        try:
            while not content.at_eof():
                if content.is_eof():  # all has arrived: nothing to wait for
                    yield await content.readany()
                    continue
                async with asyncio.timeout_at(self._ends):
                    chunk = await content.readany()
                if chunk:
                    yield chunk
            if (failure := content.exception()) is not None:
                raise failure
        except (aiohttp.ClientError, OSError) as error:
            raise translate(error, self.host, "reading the body") from error

    async def _decoded(self, encoding: str) -> AsyncIterator[bytes]:
        try:
            async for chunk in decoding.decoded(self._chunks(), encoding):
                yield chunk
        except zlib.error as error:
            raise InvalidUpstreamAnswerError(self.host, "its body is not what Content-Encoding says") from error
