"""The key-encryption keys a process holds: one it would wrap with, and earlier ones it can still unwrap with."""

import base64
import binascii
import hashlib
import secrets
from collections.abc import Sequence

from dragoman_server.vault.errors import KeyFileError

KEY_BYTES = 32


def kek_id(kek: bytes) -> bytes:
    """Return the 8 bytes by which the database names a KEK; they tell nothing about it."""
    return hashlib.blake2b(b"dragoman/kek-id/1", key=kek, digest_size=8).digest()


class KeyRing:
    """KEKs of 32 bytes; the current one first. Never prints them."""

    __slots__ = ("_by_id", "current", "previous")

    def __init__(self, current: bytes, previous: Sequence[bytes] = ()) -> None:
        if any(len(key) != KEY_BYTES for key in (current, *previous)):
            raise KeyFileError(f"An encryption key must be {KEY_BYTES} bytes.")
        self.current = current
        self.previous = tuple(key for key in previous if key != current)
        self._by_id = {kek_id(key): key for key in (current, *self.previous)}

    @classmethod
    def generate(cls) -> "KeyRing":
        return cls(secrets.token_bytes(KEY_BYTES))

    @classmethod
    def parse(cls, text: str) -> "KeyRing":
        """Read base64 keys separated by commas or white space, the current one first; raise `KeyFileError`."""
        try:
            keys = [base64.b64decode(word, validate=True) for word in text.replace(",", " ").split()]
        except (binascii.Error, ValueError) as error:
            raise KeyFileError("An encryption key is not base64.") from error
        if not keys:
            raise KeyFileError("There is no encryption key.")
        return cls(keys[0], keys[1:])

    def with_new_current(self) -> "KeyRing":
        """Return a ring with a fresh current key that still holds all of this one's."""
        return KeyRing(secrets.token_bytes(KEY_BYTES), (self.current, *self.previous))

    def keeping(self, ids: Sequence[bytes]) -> "KeyRing":
        """Return a ring without the previous keys that `ids` does not name."""
        return KeyRing(self.current, [key for key in self.previous if kek_id(key) in set(ids)])

    def find(self, identifier: bytes) -> bytes | None:
        return self._by_id.get(identifier)

    @property
    def current_id(self) -> bytes:
        return kek_id(self.current)

    @property
    def ids(self) -> frozenset[bytes]:
        return frozenset(self._by_id)

    def __repr__(self) -> str:
        return f"<KeyRing of {len(self._by_id)}>"

    def __reduce__(self) -> str:
        raise TypeError("a KeyRing is never serialized")
