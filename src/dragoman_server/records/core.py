"""What the verbs share: the database, the vault, and how streams, fences and seals are handled."""

import asyncio
import struct
import zlib
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from uuid import UUID

from dragoman_server.db import Conn, Database
from dragoman_server.kit.ids import EnvironmentId
from dragoman_server.records import _store
from dragoman_server.records.canonical import Prepared
from dragoman_server.records.cursors import decode_cursor
from dragoman_server.records.errors import ConnectionErasedError, InvalidCursorError, StaleAttemptError
from dragoman_server.records.model import Fence, Merging, MergingStrategy, Stream, StreamKey
from dragoman_server.vault import Sealer, UnknownDataKeyError, Vault

PURPOSE = "records"
SLICE = 200
"""Records handled between two looks at the event loop: under 2 ms at 500 bytes."""
SLICE_BYTES = 256 * 1024
PART = 1000
"""Records per statement."""
PART_BYTES = 4 * 1024 * 1024
"""Bytes of records per statement: the driver copies them in one go."""
_KEY = struct.Struct(">Q")


def record_key(stream_key: int, external_id: str) -> bytes:
    """What a payload's seal is bound to: stable for the life of the record."""
    return _KEY.pack(stream_key) + external_id.encode()


def writer_of(fence: Fence | None) -> int:
    """A number that tells a run's own writes from those of others (0: a writer that is no run)."""
    if fence is None:
        return 0
    return (zlib.crc32(fence.run_id.bytes) | 1) - 2**31


class Breather:
    """Counts work and yields to the event loop whenever a slice is full."""

    __slots__ = ("_bytes", "_count")

    def __init__(self) -> None:
        self._count = 0
        self._bytes = 0

    def full(self, size: int) -> bool:
        """Note one record of `size` bytes; True when it is time to `await asyncio.sleep(0)`."""
        self._count += 1
        self._bytes += size
        if self._count < SLICE and self._bytes < SLICE_BYTES:
            return False
        self._count = self._bytes = 0
        return True


class Core:
    """The base of the verbs."""

    def __init__(self, *, database: Database, vault: Vault) -> None:
        self._database = database
        self._vault = vault

    @asynccontextmanager
    async def _joined(self, conn: Conn | None) -> AsyncGenerator[Conn]:
        """The caller's transaction, or one of our own."""
        if conn is not None:
            yield conn
            return
        async with self._database.transaction() as own:
            yield own

    async def _hold(self, conn: Conn, environment_id: EnvironmentId, fence: Fence | None) -> None:
        """Keep the attempt current to the end of the transaction; raise `StaleAttemptError` if it is not."""
        if fence is not None and not await _store.hold_fence(conn, environment_id, fence):
            raise StaleAttemptError

    async def _open_stream(self, environment_id: EnvironmentId, stream: StreamKey) -> None:
        async with self._database.transaction() as conn:
            await _store.open_stream(conn, environment_id, stream)

    async def _ensure_stream(self, environment_id: EnvironmentId, stream: StreamKey) -> Stream:
        """Resolve a stream, making it on first use; raise `ConnectionErasedError`."""
        place = place_of(stream)
        async with self._database.connection() as conn:
            found = await _store.find_stream(conn, environment_id, place)
        if found is None:
            await self._open_stream(environment_id, stream)
            async with self._database.connection() as conn:
                found = await _store.find_stream(conn, environment_id, place)
        if found is None:
            raise ConnectionErasedError
        return found

    async def _not_after(self, environment_id: EnvironmentId, stream: StreamKey, merging: Merging | None) -> int | None:
        """The position after which others' changes are left alone, or None."""
        if merging is None or merging.strategy is MergingStrategy.OVERRIDE:
            return None
        if merging.cursor is None:
            raise InvalidCursorError("merging")
        hash_key = await self._vault.hash_key(environment_id)
        key, seq = decode_cursor(hash_key, merging.cursor, place="merging")
        if (await self._ensure_stream(environment_id, stream)).key != key:
            raise InvalidCursorError("merging")
        return seq

    async def _seal(
        self,
        environment_id: EnvironmentId,
        connection_uuid: UUID,
        stream_key: int,
        batch: Sequence[Prepared],
        *,
        conn: Conn | None = None,
    ) -> list[bytes]:
        if not batch:
            return []
        sealer = await self._vault.sealer(environment_id, PURPOSE, connection_uuid, conn=conn)
        sealed: list[bytes] = []
        breather = Breather()
        for item in batch:
            sealed.append(sealer.seal(item.raw, record_key(stream_key, item.external_id)))
            if breather.full(len(item.raw)):
                await asyncio.sleep(0)
        return sealed

    async def _unseal(
        self,
        environment_id: EnvironmentId,
        connection_uuid: UUID,
        stream_key: int,
        items: Sequence[tuple[str, bytes]],
        *,
        conn: Conn | None = None,
    ) -> list[bytes]:
        """Open (external id, ciphertext) pairs in slices."""
        opener = Opener(self._vault, environment_id, connection_uuid, conn)
        breather = Breather()
        opened: list[bytes] = []
        sealer = await opener.sealer()
        for external_id, ciphertext in items:
            bound = record_key(stream_key, external_id)
            try:
                opened.append(sealer.open(ciphertext, bound))
            except UnknownDataKeyError:
                sealer = await opener.sealer(fresh=True)
                opened.append(sealer.open(ciphertext, bound))
            if breather.full(len(ciphertext)):
                await asyncio.sleep(0)
        return opened


class Opener:
    """Asks the vault for one connection's sealer; inside a transaction on its `conn`."""

    __slots__ = ("_conn", "_connection_uuid", "_environment_id", "_vault")

    def __init__(
        self, vault: Vault, environment_id: EnvironmentId, connection_uuid: UUID, conn: Conn | None = None
    ) -> None:
        self._conn = conn
        self._vault = vault
        self._environment_id = environment_id
        self._connection_uuid = connection_uuid

    async def sealer(self, *, fresh: bool = False) -> Sealer:
        return await self._vault.sealer(
            self._environment_id, PURPOSE, self._connection_uuid, conn=self._conn, fresh=fresh
        )


def place_of(stream: StreamKey) -> tuple[int, str, str]:
    """What a stream is found by, within its environment."""
    return stream.connection_row_id, stream.model, stream.variant
