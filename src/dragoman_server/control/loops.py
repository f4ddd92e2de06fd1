"""Background work of the control plane: writing notes of use, and removing what was deleted long ago."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import Any

from dragoman_server import outbox
from dragoman_server.control._store import connections as _connections
from dragoman_server.control._store import environments as _environments
from dragoman_server.control._store import runs as _runs
from dragoman_server.control.touches import Touches
from dragoman_server.db import Conn, Database
from dragoman_server.kit.ids import EnvironmentId
from dragoman_server.kit.loops import Loop
from dragoman_server.vault import Vault

KEEP_DELETED = timedelta(days=31)
KEEP_RUNS = timedelta(days=31)
FLUSH_SECONDS = 5.0


class Toucher:
    """Writes collected notes of use every few seconds, and once more at the stop. Runs where requests are answered."""

    def __init__(self, touches: Sequence[Touches[Any]]) -> None:
        self._touches = touches
        self._loop = Loop("control_toucher", self.once, every=FLUSH_SECONDS)

    async def once(self) -> float | None:
        for touches in self._touches:
            await touches.flush()
        return None

    async def run(self) -> None:
        await self._loop.run()
        await self.once()

    async def stop(self) -> None:
        await self._loop.stop()


class Purger:
    """Removes deleted connections, old runs and deleted environments after their time. Safe with many at once.

    `erasers` take what other parts hold of an environment, in the transaction that removes it; `before_erasing` what
    is not in the database, and may be repeated.
    """

    def __init__(
        self,
        *,
        database: Database,
        vault: Vault,
        keep_deleted: timedelta = KEEP_DELETED,
        keep_runs: timedelta = KEEP_RUNS,
        limit: int = 500,
        erasers: Sequence[Callable[[Conn, EnvironmentId], Awaitable[None]]] = (),
        before_erasing: Sequence[Callable[[EnvironmentId], Awaitable[object]]] = (),
    ) -> None:
        self._database = database
        self._vault = vault
        self._erasers = erasers
        self._before_erasing = before_erasing
        self._keep_deleted = keep_deleted
        self._keep_runs = keep_runs
        self._limit = limit

    async def once(self) -> float | None:
        """Remove one chunk of each; return 0.0 while there is more, else None."""
        async with self._database.transaction() as conn:
            gone = await _connections.purge(conn, self._keep_deleted, self._limit)
            for environment_id, uuid in gone:
                await self._vault.shred(conn, environment_id, uuid)
        async with self._database.transaction() as conn:
            runs = await _runs.purge(conn, self._keep_runs, self._limit)
        async with self._database.connection() as conn:
            environments = await _environments.deleted_before(conn, self._keep_deleted)
        for environment_id in environments:
            for erase in self._before_erasing:
                await erase(environment_id)
            async with self._database.transaction() as conn:
                await outbox.forget_environment(conn, environment_id)
                for take in self._erasers:
                    await take(conn, environment_id)
                await _environments.purge_environment(conn, environment_id)
                await self._vault.erase_environment(conn, environment_id)
        return 0.0 if len(gone) == self._limit or runs == self._limit else None
