"""How the context reaches the platform: the one seam between the SDK and what carries its calls.

In the sandbox the guest implements it over the inherited socket; `dragoman dryrun` over HTTP; tests in memory. A
transport for plain functions does its I/O in place and never suspends, so the same coroutines serve both kinds.
"""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol


@dataclass(slots=True)
class Reply:
    """What a call answered: a JSON object, bytes beside it, or a stream of bytes that comes as it is read."""

    value: Mapping[str, Any] = field(default_factory=dict[str, Any])
    body: bytes = b""
    stream: "ByteStream | None" = None


class ByteStream(Protocol):
    """Bytes on their way; read or close it."""

    def __aiter__(self) -> AsyncIterator[bytes]: ...
    async def aclose(self) -> None: ...


class Transport(Protocol):
    """Raises PlatformError when the platform refuses a call."""

    async def call(
        self,
        method: str,
        params: Mapping[str, Any],
        body: bytes = b"",
        *,
        upload: AsyncIterator[bytes] | None = None,
        stream: bool = False,
    ) -> Reply:
        """Make one call. `upload` streams a body along; `stream` asks for the answer's body as it comes."""
        ...

    def log(self, level: str, message: str, meta: Mapping[str, Any] | None) -> None:
        """Hand over a log line; never waits for an answer."""
        ...
