"""Cursors, pure: version | stream key | position | MAC, in hex. Only who knows the environment's key makes one.

A cursor means "after this position of that stream". Stream keys and positions never restart, so a cursor is valid for
as long as its stream lives, and the MAC (128 bits) makes a forged or foreign one an error instead of a wrong page.
"""

import hmac
import struct
from binascii import hexlify
from collections.abc import Callable
from hashlib import blake2b

from dragoman_server.records.errors import InvalidCursorError

VERSION = 1
_BODY = struct.Struct(">BQQ")
_POSITION = struct.Struct(">Q")
_HEAD = struct.Struct(">BQ")
_MAC_BYTES = 16
_LENGTH = 2 * (_BODY.size + _MAC_BYTES)
_DIGITS = frozenset("0123456789abcdef")
_PERSON = b"dragoman.cursor"


def encode_cursor(hash_key: bytes, stream_key: int, seq: int) -> str:
    """Return the cursor that resumes after `seq`."""
    return cursor_maker(hash_key, stream_key)(seq).decode()


def cursor_maker(hash_key: bytes, stream_key: int) -> Callable[[int], bytes]:
    """Return a quick function from positions to cursors of one stream."""
    head = _HEAD.pack(VERSION, stream_key)
    keyed = blake2b(head, digest_size=_MAC_BYTES, key=hash_key, person=_PERSON)

    copy, pack, start = keyed.copy, _POSITION.pack, hexlify(head)

    def make(seq: int) -> bytes:
        position = pack(seq)
        mac = copy()
        mac.update(position)
        return start + hexlify(position + mac.digest())

    return make


def decode_cursor(hash_key: bytes, cursor: str, *, place: str = "cursor") -> tuple[int, int]:
    """Return (stream key, position); raise `InvalidCursorError` for anything we did not make."""
    if len(cursor) != _LENGTH or not set(cursor) <= _DIGITS:
        raise InvalidCursorError(place)
    raw = bytes.fromhex(cursor)
    body, mac = raw[: _BODY.size], raw[_BODY.size :]
    wanted = blake2b(body, digest_size=_MAC_BYTES, key=hash_key, person=_PERSON).digest()
    if not hmac.compare_digest(mac, wanted) or body[0] != VERSION:
        raise InvalidCursorError(place)
    _, stream_key, seq = _BODY.unpack(body)
    return stream_key, seq
