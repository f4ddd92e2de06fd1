"""Frames between host and guest: version, type, stream, length, payload. Pure; the same code serves both ends.

Stream 0 is control and carries messages (a JSON head, then bytes); other streams carry bytes under credits.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from dragoman.authoring.jsons import dumps, loads

VERSION = 1
HEAD = struct.Struct(">BBHII")
LENGTH = struct.Struct(">I")
LARGEST_FRAME = 16 * 1024 * 1024
WINDOW = 256 * 1024
"""Bytes a sender may have under way on a stream before the first credit."""
PIECE = 64 * 1024

START, CALL, REPLY, LOG, OUTCOME, DATA, END, CREDIT, RESET = range(1, 10)


class FrameError(Exception):
    """The other end sent something that is no frame."""


@dataclass(frozen=True, slots=True)
class Frame:
    type: int
    stream: int
    payload: bytes

    def message(self) -> tuple[dict[str, Any], bytes]:
        """The head and the bytes of a control message."""
        if len(self.payload) < 4:
            raise FrameError("A control message is cut short.")
        (length,) = LENGTH.unpack_from(self.payload)
        head = self.payload[4 : 4 + length]
        try:
            value = loads(head)
        except ValueError as error:
            raise FrameError("A control message is no JSON.") from error
        if len(head) != length or not isinstance(value, dict):
            raise FrameError("A control message is no JSON object.")
        return value, self.payload[4 + length :]  # pyright: ignore[reportUnknownVariableType] - any JSON object


def frame(type_: int, stream: int, payload: bytes = b"") -> bytes:
    if len(payload) > LARGEST_FRAME:
        raise FrameError(f"A frame of {len(payload)} bytes is longer than {LARGEST_FRAME}.")
    return HEAD.pack(VERSION, type_, 0, stream, len(payload)) + payload


def message(type_: int, value: Any, body: bytes = b"") -> bytes:
    """A control message."""
    head = dumps(value)
    size = LENGTH.size + len(head) + len(body)
    if size > LARGEST_FRAME:
        raise FrameError(f"A frame of {size} bytes is longer than {LARGEST_FRAME}.")
    return b"".join((HEAD.pack(VERSION, type_, 0, 0, size), LENGTH.pack(len(head)), head, body))


def credit(stream: int, size: int) -> bytes:
    return frame(CREDIT, stream, LENGTH.pack(size))


class Parser:
    """Cuts a byte stream into frames."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[Frame]:
        """Yield the frames that `data` completes; raises FrameError."""
        buffer = self._buffer
        buffer += data
        start = 0
        try:
            while len(buffer) - start >= HEAD.size:
                version, type_, _, stream, length = HEAD.unpack_from(buffer, start)
                if version != VERSION:
                    raise FrameError(f"Frame version {version} is not {VERSION}.")
                if length > LARGEST_FRAME or not START <= type_ <= RESET:
                    raise FrameError("A frame's head makes no sense.")
                end = start + HEAD.size + length
                if len(buffer) < end:
                    break
                payload = bytes(memoryview(buffer)[start + HEAD.size : end])
                start = end
                yield Frame(type_, stream, payload)
        finally:
            del buffer[:start]
