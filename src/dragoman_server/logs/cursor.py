"""Opaque places in a listing. A cursor says nothing that its holder could not ask for anyway; a bad one is refused."""

import base64
import binascii
import hashlib
import struct
import uuid
from datetime import UTC, datetime, timedelta

from dragoman_server.logs.errors import InvalidCursorError

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LAYOUT = struct.Struct(">B1sq16s4s")
_VERSION = 1
_MICROSECOND = timedelta(microseconds=1)
_LATEST = datetime(2200, 1, 1, tzinfo=UTC)


def write_cursor(listing: bytes, at: datetime, key: uuid.UUID) -> str:
    """Return the place after the row (at, key) of a listing, named by one byte."""
    body = struct.pack(">B1sq16s", _VERSION, listing, (at - _EPOCH) // _MICROSECOND, key.bytes)
    return base64.urlsafe_b64encode(body + _check(body)).decode().rstrip("=")


def read_cursor(listing: bytes, cursor: str) -> tuple[datetime, uuid.UUID]:
    """Return the place; raise InvalidCursorError for anything `write_cursor` did not make for this listing."""
    try:
        raw = base64.b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        version, name, micros, key, check = _LAYOUT.unpack(raw)
        at = _EPOCH + micros * _MICROSECOND
    except (ValueError, binascii.Error, struct.error, OverflowError):
        raise InvalidCursorError from None
    if version != _VERSION or name != listing or check != _check(raw[:-4]) or not _EPOCH <= at < _LATEST:
        raise InvalidCursorError
    return at, uuid.UUID(bytes=key)


def _check(body: bytes) -> bytes:
    """Catches cut and hand-made cursors; it guards nothing secret, each query names its environment."""
    return hashlib.blake2b(body, digest_size=4, person=b"dragoman-logs").digest()
