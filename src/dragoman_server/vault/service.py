"""The vault's verbs."""

import hashlib
import secrets
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from uuid import UUID

from dragoman_server.db import Conn, Database, Invalidations
from dragoman_server.db.cache import announce
from dragoman_server.kit.ids import EnvironmentId
from dragoman_server.vault import _store
from dragoman_server.vault.envelope import EnvironmentKeys, Sealer, unwrap_key, wrap_key
from dragoman_server.vault.errors import NoDataKeyError, SubjectShreddedError, UnknownDataKeyError, WrongKeyError
from dragoman_server.vault.keyring import KEY_BYTES, KeyRing

SYSTEM = EnvironmentId(0)
"""The environment of secrets that belong to the platform or to an account rather than to an environment."""

SALT_BYTES = 32
_LOOKUP = "lookup"


class _Subject:
    """A salt and the sealers made with it."""

    __slots__ = ("salt", "sealers")

    def __init__(self, salt: bytes) -> None:
        self.salt = salt
        self.sealers: dict[str, Sealer] = {}


class Vault:
    """Hands out sealers and hash keys. `open` before use.

    `reload_keyring` reads the ring anew (say, from the key file) when the database names a KEK this process does not
    hold: that is how running processes follow a rotation.
    """

    def __init__(
        self,
        *,
        database: Database,
        keyring: KeyRing,
        invalidations: Invalidations,
        reload_keyring: Callable[[], KeyRing] | None = None,
    ) -> None:
        self._database = database
        self._ring = keyring
        self._reload = reload_keyring
        self._keys = invalidations.cache("vault.keys")
        self._subjects = invalidations.cache("vault.salts", limit=50_000)
        self._hash_keys: dict[int, bytes] = {}  # never rotated, so never stale
        self._lookup_key = b""

    async def open(self) -> None:
        """Make the platform's own keys on a new database; raise `WrongKeyError` if ours is not the database's."""
        async with self._database.transaction() as conn:
            await _store.claim_ring(conn, self._ring.current_id)
            kek_id, kek = await self._current_kek(conn)
            if await _store.system_key(conn, _LOOKUP) is None:
                made = secrets.token_bytes(KEY_BYTES)
                wrapped = _store.Wrapped(kek_id, wrap_key(kek, made, _system_label(_LOOKUP)))
                await _store.insert_system_key(conn, _LOOKUP, wrapped)
            if not await _store.data_keys_of(conn, SYSTEM):
                data_key_id, wrapped = await self._make_data_key(conn, SYSTEM)
                await _store.insert_system_data_key(conn, SYSTEM, data_key_id, wrapped)
        async with self._database.connection() as conn:
            stored = await _store.system_key(conn, _LOOKUP)
            assert stored is not None  # inserted above, never deleted
            self._lookup_key = self._unwrap(stored, _system_label(_LOOKUP))

    async def create_environment(self, conn: Conn, environment_id: EnvironmentId) -> None:
        """Make an environment's first data key and its hash key, in the caller's transaction."""
        data_key_id, wrapped = await self._make_data_key(conn, environment_id)
        await _store.insert_data_key(conn, environment_id, data_key_id, wrapped)
        kek_id, kek = await self._current_kek(conn)
        made = wrap_key(kek, secrets.token_bytes(KEY_BYTES), _hash_label(environment_id))
        await _store.insert_hash_key(conn, environment_id, _store.Wrapped(kek_id, made))

    async def erase_environment(self, conn: Conn, environment_id: EnvironmentId) -> None:
        """Destroy an environment's data keys: everything sealed in it is unreadable from now on."""
        await _store.drop_data_keys_of(conn, environment_id)
        await announce(conn, "vault.keys", str(environment_id))

    async def sealer(
        self,
        environment_id: EnvironmentId,
        purpose: str,
        subject: UUID | None = None,
        *,
        conn: Conn | None = None,
        fresh: bool = False,
    ) -> Sealer:
        """Return the sealer for a purpose, and for a subject with a salt of its own (made on first use).

        Inside a transaction pass its `conn`: what is read there may not be committed, so it is not cached. `fresh`
        reads the keys anew. Raises `SubjectShreddedError`, `NoDataKeyError`.
        """
        if fresh:
            self._keys.forget(str(environment_id))
        keys = await self._environment_keys(environment_id, conn)
        place = await self._subject(environment_id, subject, conn)
        found = place.sealers.get(purpose)
        if found is None or found.keys is not keys:
            found = place.sealers[purpose] = Sealer(keys, purpose, subject, place.salt)
        return found

    async def open_all(
        self,
        environment_id: EnvironmentId,
        purpose: str,
        subject: UUID | None,
        items: Sequence[tuple[bytes, bytes]],
        *,
        conn: Conn | None = None,
    ) -> list[bytes]:
        """Open (ciphertext, record key) pairs, reading the keys anew once if one names a key made meanwhile."""
        sealer = await self.sealer(environment_id, purpose, subject, conn=conn)
        try:
            return [sealer.open(ciphertext, record_key) for ciphertext, record_key in items]
        except UnknownDataKeyError:
            sealer = await self.sealer(environment_id, purpose, subject, conn=conn, fresh=True)
            return [sealer.open(ciphertext, record_key) for ciphertext, record_key in items]

    async def hash_key(self, environment_id: EnvironmentId, *, conn: Conn | None = None) -> bytes:
        """Return the environment's key for record hashes: 32 bytes, the same for ever."""
        found = self._hash_keys.get(environment_id)
        if found is None:
            async with self._lent(conn) as lent:
                stored = await _store.hash_key_of(lent, environment_id)
            if stored is None:
                raise NoDataKeyError(environment_id)
            found = self._unwrap(stored, _hash_label(environment_id))
            if conn is None:
                self._hash_keys[environment_id] = found
        return found

    def lookup_hash(self, token: str) -> bytes:
        """Return the keyed hash under which a token is stored; the same in every process and after any rotation."""
        assert self._lookup_key, "Vault.open() was not awaited"
        return hashlib.blake2b(token.encode(), key=self._lookup_key, digest_size=32).digest()

    async def shred(self, conn: Conn, environment_id: EnvironmentId, subject: UUID) -> None:
        """Destroy a subject's salt, when the caller's transaction commits: what was sealed for it is gone for good."""
        await _store.shred_salt(conn, environment_id, subject)
        await announce(conn, "vault.salts", _subject_key(environment_id, subject))

    async def rotate_keks(self, ring: KeyRing | None = None) -> int:
        """Wrap every key anew under `ring`'s current KEK (default: our ring's), in one transaction; return how many.

        `ring` must still hold the KEKs in use, and be where the other processes' `reload_keyring` finds it.
        """
        ring = ring or self._ring
        kek_id, kek = ring.current_id, ring.current
        async with self._database.transaction() as conn:
            await _store.set_current_kek(conn, kek_id)
            data_keys = [
                (environment_id, number, wrap_key(kek, _unwrap(ring, wrapped, label), label))
                for environment_id, number, wrapped in await _store.foreign_data_keys(conn, kek_id)
                for label in [_data_label(environment_id, number)]
            ]
            hash_keys = [
                (environment_id, wrap_key(kek, _unwrap(ring, wrapped, label), label))
                for environment_id, wrapped in await _store.foreign_hash_keys(conn, kek_id)
                for label in [_hash_label(environment_id)]
            ]
            system_keys = [
                (name, wrap_key(kek, _unwrap(ring, wrapped, label), label))
                for name, wrapped in await _store.foreign_system_keys(conn, kek_id)
                for label in [_system_label(name)]
            ]
            await _store.rewrap_data_keys(conn, kek_id, data_keys)
            await _store.rewrap_hash_keys(conn, kek_id, hash_keys)
            await _store.rewrap_system_keys(conn, kek_id, system_keys)
        self._ring = ring
        return len(data_keys) + len(hash_keys) + len(system_keys)

    async def keks_in_use(self) -> dict[bytes, int]:
        """Return how many keys each KEK id wraps; one that is missing here may be dropped from the key file."""
        async with self._database.connection() as conn:
            return await _store.keks_in_use(conn)

    async def rotate_data_keys(self, environment_id: EnvironmentId) -> int:
        """Seal from now on under a new data key, and return its id. `DataKeyRotation` re-encrypts what is stored."""
        async with self._database.transaction() as conn:
            if await _store.retire_data_key(conn, environment_id) is None:
                raise NoDataKeyError(environment_id)
            data_key_id, wrapped = await self._make_data_key(conn, environment_id)
            await _store.insert_data_key(conn, environment_id, data_key_id, wrapped)
            await announce(conn, "vault.keys", str(environment_id))
        self._keys.forget(str(environment_id))
        return data_key_id

    async def _environment_keys(self, environment_id: EnvironmentId, conn: Conn | None) -> EnvironmentKeys:
        key = str(environment_id)
        if conn is None:
            return await self._keys.get(key, lambda: self._load_keys(environment_id, None))
        return self._keys.peek(key) or await self._load_keys(environment_id, conn)

    async def _load_keys(self, environment_id: EnvironmentId, conn: Conn | None) -> EnvironmentKeys:
        async with self._lent(conn) as lent:
            rows = await _store.data_keys_of(lent, environment_id)
        active = [number for number, _, is_active in rows if is_active]
        if not active:
            raise NoDataKeyError(environment_id)
        keys = {number: self._unwrap(wrapped, _data_label(environment_id, number)) for number, wrapped, _ in rows}
        return EnvironmentKeys(environment_id, active[0], keys)

    async def _subject(self, environment_id: EnvironmentId, subject: UUID | None, conn: Conn | None) -> _Subject:
        if subject is None:
            key = f"{environment_id}:"
            return await self._subjects.get(key, _no_salt)
        key = _subject_key(environment_id, subject)
        if conn is None:
            return await self._subjects.get(key, lambda: self._load_salt(environment_id, subject, None))
        return self._subjects.peek(key) or await self._load_salt(environment_id, subject, conn)

    async def _load_salt(self, environment_id: EnvironmentId, subject: UUID, conn: Conn | None) -> _Subject:
        async with self._lent(conn) as lent:
            known, salt = await _store.salt_of(lent, environment_id, subject)
            if not known:
                await _store.ensure_salt(lent, environment_id, subject, secrets.token_bytes(SALT_BYTES))
                known, salt = await _store.salt_of(lent, environment_id, subject)
        if salt is None:
            raise SubjectShreddedError
        return _Subject(salt)

    async def _make_data_key(self, conn: Conn, environment_id: int) -> tuple[int, _store.Wrapped]:
        kek_id, kek = await self._current_kek(conn)
        data_key_id = await _store.next_data_key_id(conn)
        text = wrap_key(kek, secrets.token_bytes(KEY_BYTES), _data_label(environment_id, data_key_id))
        return data_key_id, _store.Wrapped(kek_id, text)

    async def _current_kek(self, conn: Conn) -> tuple[bytes, bytes]:
        """Return the KEK the database says to wrap with, fixed to the end of the transaction."""
        kek_id = await _store.current_kek(conn)
        return kek_id, self._find_kek(kek_id)

    def _unwrap(self, wrapped: _store.Wrapped, label: str) -> bytes:
        return unwrap_key(self._find_kek(wrapped.kek_id), wrapped.text, label)

    def _find_kek(self, kek_id: bytes) -> bytes:
        kek = self._ring.find(kek_id)
        if kek is None and self._reload is not None:
            self._ring = self._reload()
            kek = self._ring.find(kek_id)
        if kek is None:
            raise WrongKeyError(kek_id)
        return kek

    @asynccontextmanager
    async def _lent(self, conn: Conn | None) -> AsyncGenerator[Conn]:
        if conn is not None:
            yield conn
            return
        async with self._database.connection() as own:
            yield own


def _unwrap(ring: KeyRing, wrapped: _store.Wrapped, label: str) -> bytes:
    kek = ring.find(wrapped.kek_id)
    if kek is None:
        raise WrongKeyError(wrapped.kek_id)
    return unwrap_key(kek, wrapped.text, label)


async def _no_salt() -> _Subject:
    return _Subject(b"")


def _subject_key(environment_id: int, subject: UUID) -> str:
    return f"{environment_id}:{subject}"


def _data_label(environment_id: int, data_key_id: int) -> str:
    return f"data/{environment_id}/{data_key_id}"


def _hash_label(environment_id: int) -> str:
    return f"hash/{environment_id}"


def _system_label(name: str) -> str:
    return f"system/{name}"
