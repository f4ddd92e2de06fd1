"""The caller's body: small ones are held so that they can be sent again, large ones only pass through."""

from collections.abc import AsyncIterable, AsyncIterator

from dragoman_server.proxy.errors import RequestBodyTooLargeError

REPLAYABLE = 1024 * 1024
"""Bytes of a body that are held for another try; a larger body is streamed and sent once."""
SIGNABLE = 10 * 1024 * 1024
"""Bytes of a body that are held where the entry signs or completes it."""
BODY_LIMIT = 75_000_000


class PassingBody:
    """A body that is sent as it arrives, with a limit. Keeps what broke it, which aiohttp does not."""

    def __init__(self, held: list[bytes], rest: AsyncIterator[bytes], limit: int) -> None:
        self._held = held
        self._rest = rest
        self._limit = limit
        self.failure: Exception | None = None

    async def __aiter__(self) -> AsyncIterator[bytes]:
        size = 0
        try:
            for chunk in self._held:
                size += len(chunk)
                yield chunk
            self._held.clear()
            async for chunk in self._rest:
                size += len(chunk)
                if size > self._limit:
                    raise RequestBodyTooLargeError(self._limit)
                yield chunk
        except Exception as error:
            self.failure = error
            raise


async def take_body(
    body: bytes | AsyncIterable[bytes] | None, length: int | None, *, hold: int = REPLAYABLE, limit: int = BODY_LIMIT
) -> bytes | PassingBody | None:
    """Return the body as bytes if it is at most `hold` bytes long, else as a stream; raises over `limit`."""
    if body is None or isinstance(body, bytes):
        if body is not None and len(body) > limit:
            raise RequestBodyTooLargeError(limit)
        return body
    if length is not None and length > limit:
        raise RequestBodyTooLargeError(limit)
    chunks = aiter(body)
    held: list[bytes] = []
    if length is None or length <= hold:
        size = 0
        async for chunk in chunks:
            held.append(chunk)
            size += len(chunk)
            if size > hold:
                break
        else:
            return b"".join(held)
    return PassingBody(held, chunks, limit)
