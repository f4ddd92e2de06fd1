"""Emptying, erasing, pruning, purging and tidying."""

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from dragoman_server.db import Conn
from dragoman_server.kit.ids import ConnectionRowId, EnvironmentId
from dragoman_server.records import _store
from dragoman_server.records.core import Core, place_of
from dragoman_server.records.cursors import decode_cursor
from dragoman_server.records.errors import InvalidCursorError
from dragoman_server.records.model import BASE_VARIANT, Pruned, StreamKey
from dragoman_server.records.pages import micros

PURGE_ROWS = 5000
UNCLOSED = timedelta(days=14)
REPEATABLE = timedelta(days=2)
TOTALS_KEPT = timedelta(days=31)


class Upkeep(Core):
    """The verbs that take records away."""

    async def empty(self, environment_id: EnvironmentId, stream: StreamKey, *, conn: Conn | None = None) -> None:
        """Empty a stream at once, whatever its size. Positions go on: old cursors stay valid and see all as ADDED."""
        async with self._joined(conn) as lent:
            found = await _store.find_stream(lent, environment_id, place_of(stream), lock=True)
            if found is not None:
                await self._swap(lent, environment_id, found.key)

    async def erase_connection(
        self, conn: Conn, environment_id: EnvironmentId, connection_row_id: ConnectionRowId
    ) -> None:
        """Take a connection's records away at once, in the caller's transaction; nothing is saved for it anymore."""
        await _store.erase_connection(conn, environment_id, connection_row_id)

    async def erase_environment(self, conn: Conn, environment_id: EnvironmentId) -> None:
        """Take an environment's records and progress away, in the caller's transaction."""
        await _store.erase_environment(conn, environment_id)

    async def reset_progress(self, environment_id: EnvironmentId, owner: UUID, *, conn: Conn | None = None) -> None:
        """Forget the owner's checkpoint and open generations, and refuse what is still running."""
        async with self._joined(conn) as lent:
            await _store.break_fence(lent, environment_id, owner)
            await _store.save_checkpoint(lent, environment_id, owner, None, None)
            await _store.drop_generations_of_owners(lent, environment_id, [owner])

    async def forget_owners(self, conn: Conn, environment_id: EnvironmentId, owners: Sequence[UUID]) -> None:
        """Forget all progress of owners that were deleted, in the caller's transaction."""
        await _store.forget_owners(conn, environment_id, owners)

    async def prune(
        self,
        environment_id: EnvironmentId,
        connection_row_id: int,
        model: str,
        variant: str = BASE_VARIANT,
        *,
        until_cursor: str,
        limit: int = 1000,
    ) -> Pruned:
        """Empty the payloads of up to `limit` records at or before `until_cursor`; they keep hash and place."""
        hash_key = await self._vault.hash_key(environment_id)
        stream_key, until = decode_cursor(hash_key, until_cursor, place="until_cursor")
        async with self._database.transaction() as conn:
            found = await _store.find_stream(conn, environment_id, (connection_row_id, model, variant))
            if found is None or found.key != stream_key:
                raise InvalidCursorError("until_cursor")
            return await _store.prune(conn, environment_id, stream_key, until, None, limit)

    async def purge_once(self, rows: int = PURGE_ROWS) -> bool:
        """Delete one chunk of emptied or erased contents; True while there may be more."""
        async with self._database.transaction() as conn:
            taken = await _store.take_purge(conn)
            if taken is None:
                return False
            environment_id, stream_id = taken
            if not await _store.purge_chunk(conn, environment_id, stream_id, rows):
                await _store.finish_purge(conn, environment_id, stream_id)
            return True

    async def auto_prune_once(self, after_key: int, *, unchanged_for: timedelta, window: int = 500) -> int:
        """Prune the next `window` streams after `after_key`; return where to go on, 0 for the start."""
        async with self._database.connection() as conn:
            rows = await _store.prunable(conn, after_key, window, unchanged_for)
            before = micros(await conn.now() - unchanged_for)
        for environment_id, key, old in rows:
            more = old
            while more:
                async with self._database.transaction() as conn:
                    pruned = await _store.prune(conn, environment_id, key, 2**62, before, 1000)
                more = pruned.has_more
        return rows[-1][1] if len(rows) == window else 0

    async def auto_delete_once(self, *, idle_for: timedelta, limit: int = 100) -> int:
        """Empty up to `limit` streams that nobody saved to for so long; return how many."""
        async with self._database.connection() as conn:
            idle = await _store.idle_streams(conn, idle_for, limit)
        for environment_id, stream in idle:
            async with self._database.transaction() as conn:
                found = await _store.find_stream(conn, environment_id, place_of(stream), lock=True)
                if found is not None and await _store.still_idle(conn, environment_id, found.key, idle_for):
                    await self._swap(conn, environment_id, found.key)
        return len(idle)

    async def tidy_once(self) -> None:
        """Delete what no run needs anymore: chunks, answers, totals."""
        async with self._database.connection() as conn:
            await _store.tidy(conn, unclosed=UNCLOSED, repeatable=REPEATABLE, totals_kept=TOTALS_KEPT)

    async def _swap(self, conn: Conn, environment_id: EnvironmentId, stream_key: int) -> None:
        await _store.drop_generations_of_stream(conn, environment_id, stream_key)
        await _store.swap_stream(conn, environment_id, stream_key)
