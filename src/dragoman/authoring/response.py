"""What a provider answered."""

from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from typing import Any

from dragoman.authoring.jsons import loads
from dragoman.authoring.transport import ByteStream


class Headers(Mapping[str, str]):
    """HTTP headers: names ignore case; a repeated one gives its values joined by a comma."""

    def __init__(self, pairs: Iterable[tuple[str, str]]) -> None:
        self.pairs = [(str(name), str(value)) for name, value in pairs]
        self._map: dict[str, str] = {}
        for name, value in self.pairs:
            lower = name.lower()
            self._map[lower] = f"{self._map[lower]}, {value}" if lower in self._map else value

    def __getitem__(self, name: str) -> str:
        return self._map[name.lower()]

    def __iter__(self) -> Iterator[str]:
        return iter(self._map)

    def __len__(self) -> int:
        return len(self._map)

    def __repr__(self) -> str:
        return f"Headers({self._map!r})"


class Response:
    """An answer read to its end."""

    def __init__(self, status: int, headers: Headers, content: bytes) -> None:
        self.status = status
        self.headers = headers
        self.content = content

    @property
    def ok(self) -> bool:
        return self.status < 400

    @property
    def text(self) -> str:
        return self.content.decode("utf-8", "replace")

    def json(self) -> Any:
        """The body as plain values; raises ValueError when it is not JSON."""
        return loads(self.content)

    def __repr__(self) -> str:
        return f"<Response {self.status}, {len(self.content)} bytes>"


class StreamedResponse:
    """An answer whose body comes as you read it: a gigabyte never sits in memory."""

    def __init__(self, status: int, headers: Headers, body: bytes, stream: ByteStream | None) -> None:
        self.status = status
        self.headers = headers
        self._body = body
        self._stream = stream

    async def iter_bytes(self) -> AsyncIterator[bytes]:
        """The body in pieces, as they come."""
        if self._body:
            yield self._body
        if self._stream is not None:
            async for piece in self._stream:
                yield piece

    async def read(self) -> bytes:
        """The whole body."""
        return b"".join([piece async for piece in self.iter_bytes()])

    async def close(self) -> None:
        """Give up the rest."""
        if self._stream is not None:
            await self._stream.aclose()
