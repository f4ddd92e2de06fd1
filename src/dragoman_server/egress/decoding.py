"""Streaming decompression with bounded memory."""

import zlib
from collections.abc import AsyncIterator
from typing import Protocol

SUPPORTED = frozenset({"gzip", "x-gzip", "deflate"})
ACCEPT_ENCODING = "gzip, deflate"
_PIECE = 256 * 1024


class _Decoder(Protocol):
    @property
    def unconsumed_tail(self) -> bytes: ...
    @property
    def unused_data(self) -> bytes: ...
    @property
    def eof(self) -> bool: ...
    def decompress(self, data: bytes, max_length: int = 0, /) -> bytes: ...


def _decoder(encoding: str, first: bytes) -> _Decoder:
    if encoding in {"gzip", "x-gzip"}:
        return zlib.decompressobj(16 + zlib.MAX_WBITS)
    # RFC 9110 means zlib by "deflate"; some servers send it raw. A zlib header's two bytes are a multiple of 31.
    wrapped = len(first) >= 2 and first[0] & 0x0F == 8 and (first[0] << 8 | first[1]) % 31 == 0
    return zlib.decompressobj(zlib.MAX_WBITS if wrapped else -zlib.MAX_WBITS)


async def decoded(chunks: AsyncIterator[bytes], encoding: str) -> AsyncIterator[bytes]:
    """Yield the decompressed body in pieces of at most 256 KiB; raises zlib.error for a body that is not `encoding`."""
    decoder: _Decoder | None = None
    async for chunk in chunks:
        data = chunk
        while data:
            if decoder is None:
                decoder = _decoder(encoding, data)
            piece = decoder.decompress(data, _PIECE)
            if piece:
                yield piece
            data = decoder.unconsumed_tail
            if decoder.eof:
                data, decoder = decoder.unused_data, None  # a gzip body may have several members
            elif not piece and not data:
                break
    if decoder is not None and not decoder.eof:
        raise zlib.error("the compressed body ends too early")
