"""What a record is compared by, pure: a keyed hash over canonical JSON (sorted keys, compact, UTF-8).

Keyed per environment, because an unkeyed hash tells who has equal records; the key never changes, because a new one
would make every record look changed.
"""

from collections.abc import Sequence
from hashlib import blake2b
from typing import Any, cast

import msgspec

from dragoman_server.records.errors import InvalidCheckpointError, InvalidRecordError

HASH_VERSION = 1
HASH_BYTES = 16
MAX_ID = 255
METADATA = "_nango_metadata"
_PERSON = b"dragoman.record"
_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode
_sorted = msgspec.json.Encoder(order="sorted")


class Prepared(msgspec.Struct, frozen=True, gc=False):  # a dataclass takes ten times as long to make
    """A record ready to be compared and stored: `raw` has an `id`, none of our metadata, and ends in its brace."""

    external_id: str
    raw: bytes
    hash: bytes


def canonical(value: object) -> bytes:
    """Encode a JSON value so that equal values are equal bytes, whatever the order of keys they came in."""
    return _sorted.encode(value)


def change_hash(hash_key: bytes, value: object) -> bytes:
    """Hash a record under the environment's key."""
    return Preparer(hash_key).hash(value)


class Preparer:
    """Checks and hashes records under one environment's key; made for a batch, it sets up what its records share."""

    __slots__ = ("_buffer", "_keyed")

    def __init__(self, hash_key: bytes) -> None:
        self._keyed = blake2b(digest_size=HASH_BYTES, key=hash_key, person=_PERSON)
        self._buffer = bytearray()

    def hash(self, value: object) -> bytes:
        """Hash a JSON value."""
        _sorted.encode_into(value, self._buffer)
        keyed = self._keyed.copy()
        keyed.update(self._buffer)
        return keyed.digest()

    def prepare(self, index: int, external_id: str, raw: bytes) -> Prepared:
        """Check one record and hash it; raise `InvalidRecordError` naming its index."""
        if not (external_id.isascii() and 0 < len(external_id) <= MAX_ID and "\0" not in external_id):
            check_external_id(index, external_id)
        try:
            value = _decode(raw)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            reason = (
                str(error) if isinstance(error, msgspec.MsgspecError) else "text that is not UTF-8 or too deeply nested"
            )
            raise InvalidRecordError(index, f"not JSON: {reason}.") from None
        if not isinstance(value, dict):
            raise InvalidRecordError(index, "must be a JSON object.")
        fields = cast("dict[str, Any]", value)
        if METADATA in fields or "id" not in fields:
            fields.pop(METADATA, None)
            fields.setdefault("id", external_id)
            raw = _encode(fields)
        elif not raw.endswith(b"}"):
            raw = raw.rstrip()
        return Prepared(external_id, raw, self.hash(fields))


def check_external_id(index: int, external_id: str) -> None:
    """Raise `InvalidRecordError` unless it can name a record."""
    if not 0 < len(external_id) <= MAX_ID:
        raise InvalidRecordError(index, f"`id` must have 1 to {MAX_ID} characters.")
    try:
        encoded = external_id.encode()
    except UnicodeEncodeError:
        encoded = b"\0"
    if b"\0" in encoded:
        raise InvalidRecordError(index, "`id` holds a character that cannot be stored.")


def last_of_each(records: Sequence[tuple[str, bytes]]) -> list[tuple[int, str, bytes]]:
    """Drop all but the last record of each id, keeping the order of the ones that stay; with their indexes."""
    last = {external_id: index for index, (external_id, _) in enumerate(records)}
    return [(i, external_id, raw) for i, (external_id, raw) in enumerate(records) if last[external_id] == i]


def merge(stored: Any, update: Any) -> Any:
    """Deep-merge `update` into `stored`: objects key by key, anything else (arrays too) replaced."""
    if not isinstance(stored, dict) or not isinstance(update, dict):
        return update
    result = dict(cast("dict[str, Any]", stored))
    for key, value in cast("dict[str, Any]", update).items():
        result[key] = merge(result[key], value) if key in result else value
    return result


def merge_raw(stored: bytes, update: bytes) -> bytes:
    """Deep-merge JSON texts."""
    return _encode(merge(_decode(stored), _decode(update)))


def check_checkpoint(body: bytes) -> str:
    """Return the checkpoint's text; raise `InvalidCheckpointError` unless it is a flat map of scalars."""
    try:
        value = _decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        raise InvalidCheckpointError("must be a JSON object.") from None
    if not isinstance(value, dict):
        raise InvalidCheckpointError("must be a JSON object.")
    for key, item in cast("dict[str, Any]", value).items():
        if not isinstance(item, str | int | float | bool):
            raise InvalidCheckpointError(f"`{key}` must be a string, a number or a boolean.")
    return _encode(value).decode()
